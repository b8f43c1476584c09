"""Runs that are told their target by learned tokens, by an adapter for each profile, or not."""

import json
import signal

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from mimic.compute import ComputeSettings, load_model, load_tokenizer
from mimic.finetune import dpo, orpo, resume, sft, watch
from mimic.pairs import conversations, preferences
from mimic.target_tokens import add_embeddings
from mimic.traits import TRAITS, Profile, balanced_profiles

METHODS = {"sft": sft, "dpo": dpo, "orpo": orpo}
OUTPUTS = ("adapter_model.safetensors", "training_log.csv", "learning.json")
COMPUTE = ComputeSettings(threads=1)
HIGH, LOW = Profile.parse("O+C+E+A+N+"), Profile.parse("O-C-E-A-N-")


@pytest.fixture
def essays_of(tmp_path):
    """Writes essays, so many of each profile, of which the first is for validation."""

    def write(profiles, *, each):
        columns = ["id", "text", *TRAITS, "profile", "words", "cluster", "role", "validation"]
        rows = []
        for profile in profiles:
            for number in range(each):
                name = f"{profile}-{number}"
                text = f"On day {number} of a {profile!s} week I went out." + " Fine." * number
                levels = [int(high) for high in profile.levels]
                rows.append([name, text, *levels, str(profile), 9, name, "G", int(number == 0)])
        path = tmp_path / "essays-of.csv"
        pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
        return path

    return write


@pytest.fixture
def trained(make_job, tiny_model):
    """Makes pairs and a job that trains the tiny model on them."""

    def make(method, essays, *, out="a", conditioning, profiles=None, train=True, **changes):
        pairs = make_job(
            settings={
                "pairs": {"rejected_per_chosen": 1},
                "conditioning": conditioning,
                "withholds_profiles": False,
            },
            inputs={"essays": essays},
            out=f"{out}-pairs",
        )
        (conversations if method == "sft" else preferences).main(pairs)
        (pairs.out / "manifest.json").write_text("{}")
        settings = {"learning_rate": 0.02, "warmup_steps": 0, "max_length": 128, "steps": 8}
        job = make_job(
            settings={
                "run": {"model": "tiny", "seed": 1},
                "compute": {"threads": 1},
                "conditioning": conditioning,
                method: settings | {"lora": {"rank": 4, "alpha": 8}} | changes,
            }
            | ({} if profiles is None else {"profiles": profiles}),
            inputs={"model": tiny_model, "pairs": pairs.out / "manifest.json"},
            out=out,
        )
        if train:
            METHODS[method].main(job)
            (job.out / "manifest.json").write_text("{}")
        return job

    return make


@pytest.mark.parametrize(
    "method", ["sft", *(pytest.param(m, marks=pytest.mark.slow) for m in ("dpo", "orpo"))]
)
def test_the_embeddings_of_the_target_tokens_are_trained_and_saved_alone(
    trained, essays_of, tiny_model, method
):
    folder = trained(method, essays_of([HIGH, LOW], each=3), conditioning="token").out
    saved = load_file(folder / "adapter_model.safetensors")
    (rows,) = [weight for name, weight in saved.items() if "lora" not in name]
    assert rows.shape == (10, 32)
    # Rows alone: no whole embedding is among what was saved.
    assert max(weight.shape[0] for weight in saved.values()) < 100

    tokenizer = load_tokenizer(tiny_model.parent, target_tokens=True)
    begun = load_model(tiny_model.parent, compute=COMPUTE)
    ids = add_embeddings(begun, tokenizer)
    before = begun.get_input_embeddings().weight
    after = load_model(tiny_model.parent, compute=COMPUTE, adapter=folder)
    weight = after.get_input_embeddings().weight
    assert weight.shape[0] == len(tokenizer)
    # All of both profiles' tokens stood in prompts.
    assert ((weight[ids] - before[ids]).abs().amax(dim=1) > 1e-3).all()
    others = [n for n in range(len(weight)) if n not in ids]
    assert torch.equal(weight[others], before[others])
    assert after.get_output_embeddings().weight is weight
    assert torch.equal(weight[ids], rows)


@pytest.mark.slow
def test_a_training_of_target_tokens_goes_on_with_the_same_bytes(
    trained, essays_of, monkeypatch, capsys
):
    essays = essays_of([HIGH, LOW], each=3)
    whole = trained("sft", essays, out="whole", conditioning="token").out
    job = trained("sft", essays, conditioning="token", train=False)
    seen = watch.ShowProgress.on_log

    def at_step_three(self, args, state, control, logs=None, **kwargs):
        seen(self, args, state, control, logs=logs, **kwargs)
        if state.global_step == 3 and "loss" in (logs or {}):
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(watch.ShowProgress, "on_log", at_step_three)
        with pytest.raises(SystemExit):
            sft.main(job)
    (checkpoint,) = (path for path in job.unfinished.iterdir() if path.is_dir())
    # Checkpoints hold the rows alone too.
    saved = load_file(checkpoint / "adapter_model.safetensors")
    assert max(weight.shape[0] for weight in saved.values()) < 100
    sft.main(job)
    assert "going on from step-" in capsys.readouterr().out
    for name in OUTPUTS:
        assert (whole / name).read_bytes() == (job.out / name).read_bytes(), name


def test_the_reference_of_target_tokens_are_their_words(trained, essays_of):
    """Without its adapter the model has the embeddings that the tokens begin with: all is 0."""
    job = trained(
        "dpo",
        essays_of([HIGH, LOW], each=3),
        conditioning="token",
        steps=1,
        learning_rate=1e-9,
        precompute_reference=True,
    )
    log = pd.read_csv(job.out / "training_log.csv")
    assert log["rewards_margins"].abs().max() < 1e-4
    assert log["loss"][0] == pytest.approx(0.6931, abs=1e-3)


@pytest.mark.slow
def test_each_profile_gets_an_adapter_of_its_own_essays(trained, essays_of, capsys):
    profiles = balanced_profiles(4)
    essays = essays_of(balanced_profiles(16), each=3)
    settings = {"conditioning": "adapter", "profiles": 4, "steps": 2}
    job = trained("sft", essays, **settings)
    said = capsys.readouterr().out
    folders = sorted(path.name for path in (job.out / "adapters").iterdir())
    assert folders == sorted(map(str, profiles))
    weights = set()
    for number, profile in enumerate(profiles, 1):
        assert f"adapter {number} of 4: {profile}" in said
        names = {path.name for path in (job.out / "adapters" / str(profile)).iterdir()}
        assert names == {"adapter_config.json", "adapter_model.safetensors"}
        weights.add((job.out / f"adapters/{profile}/adapter_model.safetensors").read_bytes())
    assert len(weights) == 4
    log = pd.read_csv(job.out / "training_log.csv")
    assert list(log.columns[:2]) == ["profile", "step"]
    assert log.groupby("profile")["step"].max().to_dict() == dict.fromkeys(map(str, profiles), 2)
    learning = json.loads((job.out / "learning.json").read_text())
    assert (learning["adapters"], learning["steps"]) == (4, 8)
    # One validation essay of each.
    assert [check["examples"] for check in learning["checks"]] == [4]

    # What others wrote moves no adapter.
    table = pd.read_csv(essays)
    others = ~table["profile"].isin([str(profiles[0])])
    table.loc[others, "text"] = "Something else altogether."
    table.to_csv(essays, index=False)
    again = trained("sft", essays, out="b", **settings)
    name = f"adapters/{profiles[0]}/adapter_model.safetensors"
    assert (again.out / name).read_bytes() == (job.out / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["dpo", "orpo"])
def test_preferences_of_a_profile_are_those_whose_chosen_essay_has_it(trained, essays_of, method):
    job = trained(
        method,
        essays_of(balanced_profiles(4), each=4),
        conditioning="adapter",
        profiles=4,
        steps=2,
        pairs=None,
        checked_pairs=2,
    )
    learning = json.loads((job.out / "learning.json").read_text())
    examples = {check["check"]: check["examples"] for check in learning["checks"]}
    assert examples["training margin"] == 4 * 2
    assert len(list((job.out / "adapters").iterdir())) == 4


@pytest.mark.parametrize("told_to_stop", [pytest.param(False, marks=pytest.mark.slow), True])
def test_ended_in_its_third_adapter_it_trains_no_whole_one_again(
    trained, essays_of, monkeypatch, capsys, told_to_stop
):
    essays = essays_of(balanced_profiles(4), each=3)
    settings = {"conditioning": "adapter", "profiles": 4, "steps": 3}
    whole = trained("sft", essays, out="whole", **settings).out
    job = trained("sft", essays, **settings, train=False)
    real, logged, begun = sft._train, watch.ShowProgress.on_log, []

    def killed_in_the_third(own, settings):
        begun.append(own.settings["profile"])
        found = real(own, settings)
        # It wrote the adapter, and not yet all that belongs to it.
        if len(begun) == 3 and not told_to_stop:
            raise KeyboardInterrupt
        return found

    def told_in_the_third(self, args, state, control, logs=None, **kwargs):
        logged(self, args, state, control, logs=logs, **kwargs)
        if told_to_stop and len(begun) == 3 and state.global_step == 1:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(sft, "_train", killed_in_the_third)
        patch.setattr(watch.ShowProgress, "on_log", told_in_the_third)
        patch.setattr(resume, "CHECKPOINT_EVERY_S", 0.0)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            sft.main(job)
    assert len(begun) == 3
    capsys.readouterr()
    sft.main(job)
    said = capsys.readouterr().out
    assert [f"adapter {number} of 4" in said for number in (1, 2, 3, 4)] == [0, 0, 1, 1]
    assert "going on from step-" in said
    names = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    assert len(names) == 4 * 2 + 3
    for name in names:
        if name.name != "manifest.json":
            assert (whole / name).read_bytes() == (job.out / name).read_bytes(), name


def test_a_profile_with_too_few_essays_is_named(trained, essays_of):
    essays = essays_of(balanced_profiles(4), each=3)
    table = pd.read_csv(essays)
    table[table["id"] != "O+C-E-A+N+-2"].to_csv(essays, index=False)
    with pytest.raises(ValueError) as caught:
        trained("sft", essays, conditioning="adapter", profiles=4)
    assert "profile O+C-E-A+N+ has 1 training essay (1 of 4 profiles" in str(caught.value)
    assert "needs at least 2 of each" in str(caught.value)
