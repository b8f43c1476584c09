"""What the GPU tests measure with, on a CPU: it trains, counts and times."""

from gpu_figures import Case, tokens_a_second
from gpu_training import measure

from mimic.chat import encode
from mimic.compute import load_tokenizer
from mimic.files import read_jsonl


def test_a_case_is_trained_on_rows_of_its_length(tiny_model, tmp_path):
    model = tiny_model.parent
    case = Case(method="orpo", quantisation="none", length=48, batch_size=1, steps=5)
    measured = measure(case, model, tmp_path, device="cpu")
    assert len(measured.ends) == case.steps
    assert tokens_a_second(measured, case) > 0
    rows = read_jsonl(tmp_path / "pairs/train.jsonl")
    tokenizer = load_tokenizer(model)
    lengths = {
        len(encode(tokenizer, tokenizer.apply_chat_template(r["prompt"] + r[side], tokenize=False)))
        for r in rows
        for side in ("chosen", "rejected")
    }
    assert (len(rows), lengths) == (5, {48})


def test_packed_essays_fill_their_rows(tiny_model, tmp_path):
    case = Case(
        method="sft", quantisation="none", length=192, essays_a_row=4, batch_size=1, steps=4
    )
    assert case.examples == 16
    # As many steps as rows: had one row room left, there would be more.
    assert len(measure(case, tiny_model.parent, tmp_path, device="cpu").ends) == case.steps
