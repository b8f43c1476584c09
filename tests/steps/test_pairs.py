from mimic.files import read_jsonl
from mimic.pairs import conversations, preferences

SETTINGS = {"pairs": {"rejected_per_chosen": 2}}


def test_conversations_keep_validation_essays_apart(make_job, essays_csv):
    job = make_job(settings=SETTINGS, inputs={"essays": essays_csv})
    conversations.main(job)
    train, validation = (
        {row["essay"] for row in read_jsonl(job.out / f"{name}.jsonl")}
        for name in ("train", "validation")
    )
    assert train == {f"e{n}" for n in range(8)}
    assert validation == {f"e{n}" for n in range(8, 12)}


def test_no_training_pair_holds_a_validation_essay(make_job, essays_csv):
    job = make_job(settings=SETTINGS, inputs={"essays": essays_csv})
    preferences.main(job)
    rows = read_jsonl(job.out / "train.jsonl")
    held_out = {f"e{n}" for n in range(8, 12)}
    assert len(rows) == 16
    assert not held_out & {row[side] for row in rows for side in ("essay", "rejected_essay")}
