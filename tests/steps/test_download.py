"""`mimic download`, and jobs without network that find what it fetched."""

import shutil

import pytest
import yaml
from fake_hub import TOKEN, FakeHub, ask_it, serving
from huggingface_hub import constants
from tiny_llama import ENTRY, ID, REVISION

from mimic import cli
from mimic.essays.load import read_hub
from mimic.hub_contents import hub_contents
from mimic.models import fetch
from mimic.study import load_study

CORPUS, OF_CORPUS = "mimic/essays", "c" * 40
SETTINGS = {
    "models": ["tiny"],
    "essays": {"source": {"kind": "hub", "name": CORPUS, "revision": OF_CORPUS}},
}


@pytest.fixture
def hub(tiny_model, tmp_path, monkeypatch):
    """A hub with a model and a data set, and a project whose study takes both."""
    import datasets

    folder = shutil.copytree(
        tiny_model.parent, tmp_path / "model", ignore=shutil.ignore_patterns("manifest.json")
    )
    (folder / "pytorch_model.bin").write_bytes(b"code could be here")
    (tmp_path / "essays").mkdir()
    (tmp_path / "essays/train.csv").write_text("O,C,E,A,N,text\n1,0,0,1,1,one day\n")
    (tmp_path / "essays/script.py").write_text("raise SystemExit")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "prepared")
    data_set = FakeHub(CORPUS, OF_CORPUS, tmp_path / "essays")
    with serving(FakeHub(ID, REVISION, folder, data_set=data_set)) as served:
        ask_it(served, tmp_path, monkeypatch)
        yield served


@pytest.fixture
def clone(project, tmp_path, monkeypatch):
    """A project whose models are those of the hub."""
    for name in ("instruments", "forms"):
        shutil.copytree(project / "config" / name, tmp_path / "clone/config" / name)
    folder = tmp_path / "clone"
    (folder / "Snakefile").touch()
    (folder / "config/models.yaml").write_text(yaml.safe_dump({"tiny": ENTRY}))
    (folder / "mine.yaml").write_text(yaml.safe_dump(SETTINGS))
    monkeypatch.chdir(folder)
    return folder


def download(*options):
    return cli.main(["download", "--configfile", "mine.yaml", *options])


def asked_for(hub, part):
    return [line for line in hub.asked if part in line]


def test_jobs_without_network_find_all_that_was_downloaded(
    hub, clone, make_job, monkeypatch, capsys
):
    assert download() == 0
    told = capsys.readouterr().out
    assert f"1 of 2: {ID} at aaaaaaaaaaaa, 8.0 MB" in told
    assert f"2 of 2: {CORPUS} at cccccccccccc" in told
    assert constants.HF_HUB_CACHE in told
    assert not asked_for(hub, "pytorch_model.bin") and not asked_for(hub, "script.py")
    asked = len(hub.asked)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    job = make_job(settings={"model": ENTRY}, inputs={})
    fetch.main(job)
    assert (job.out / "model.safetensors").is_file()
    (essay,) = read_hub(CORPUS, revision=OF_CORPUS).essays
    assert (essay.text, str(essay.profile)) == ("one day", "O+C-E-A+N+")
    assert len(hub.asked) == asked


def test_what_is_there_is_not_fetched_again(hub, clone, capsys):
    assert download() == 0
    asked = len(hub.asked)
    capsys.readouterr()
    assert download() == 0
    assert capsys.readouterr().out.count(": there\n") == 2
    assert len(hub.asked) == asked


def test_a_download_that_was_broken_off_is_completed(hub, clone, tmp_path):
    assert download() == 0
    (weights,) = (tmp_path / "cache").rglob("snapshots/*/model.safetensors")
    weights.resolve().unlink()
    weights.unlink()
    model, corpus = hub_contents(load_study(SETTINGS, source="mine.yaml"))
    assert (model.is_cached(), corpus.is_cached()) == (False, True)
    assert download() == 0
    assert model.is_cached()


def test_another_revision_of_the_essays_is_not_taken_for_theirs(hub, clone, monkeypatch):
    assert download() == 0
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="isn't complete in the cache.* run `mimic download`"):
        read_hub(CORPUS, revision="d" * 40)


def test_a_gated_model_holds_nothing_else_up_and_says_where_to_ask(hub, clone, monkeypatch, capsys):
    hub.gated = True
    assert download() == 1
    told = capsys.readouterr().out
    assert f"ask for access on its page, {hub.url}/{ID}, then set HF_TOKEN" in told
    assert "1 of 2 are missing" in told
    model, corpus = hub_contents(load_study(SETTINGS, source="mine.yaml"))
    assert (model.is_cached(), corpus.is_cached()) == (False, True)
    hub.allowed = (TOKEN,)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert download() == 0
    assert TOKEN not in capsys.readouterr().out


def test_gated_essays_say_where_to_ask(hub, clone, capsys):
    hub.data_set.gated = True
    assert download() == 1
    told = capsys.readouterr().out
    assert f"{CORPUS} is gated: ask for access on its page, {hub.url}/datasets/{CORPUS}" in told
    assert "set HF_TOKEN to a token of the account" in told


def test_another_model_than_its_entry_says_is_refused_before_its_weights(hub, clone, capsys):
    wrong = ENTRY | {"dtype": "bfloat16"}
    (clone / "config/models.yaml").write_text(yaml.safe_dump({"tiny": wrong}))
    assert download() == 1
    assert "dtype is bfloat16, not float32" in capsys.readouterr().out
    assert not asked_for(hub, "model.safetensors")


def test_offline_it_says_how_to_go_online(hub, clone, monkeypatch, capsys):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert download() == 2
    assert "HF_HUB_OFFLINE=0 mimic download" in capsys.readouterr().err


def test_a_study_that_takes_nothing_of_the_hub_says_so(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    assert cli.main(["download", "--configfile", "config/smoke.yaml"]) == 0
    assert "takes nothing from the hub" in capsys.readouterr().out
