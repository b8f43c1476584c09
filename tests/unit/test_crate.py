"""`mimic crate`: what is in it, what stays out, and that it is a Provenance Run Crate."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_up_study import ADAPTER, ESSAYS, METRICS, REPORT, call_of, run
from offline_validator import fill_cache, issues_of

from mimic import cli
from mimic.files import read_json, write_json
from mimic.provenance.crate_command import write_crate
from mimic.provenance.crate_contents import settings_content
from mimic.provenance.notes import note_file
from mimic.provenance.records import read_record
from mimic.provenance.store import RECORD, Store

MODEL = "results/models/tiny/manifest.json"
PAIRS = "results/pairs/tiny-sft-s1/manifest.json"
SETTINGS = Path("config/config.yaml")
EMBEDDED = {"kind": "embedded"}
CSV = {"kind": "csv", "path": "corpus.csv", "name": "Diaries"}
OF_THE_MODEL = {
    "title": "Tiny",
    "license": "Some-Licence",
    "source": {"kind": "hub", "id": "some/tiny", "revision": "a" * 40},
}
FILES = {
    "models": {"model.safetensors": "base weights"},
    "essays": {"essays.csv": "id,text\n1,Dear diary\n"},
    "pairs": {"train.jsonl": '{"text": "Dear diary"}\n'},
    "finetune": {"adapter.safetensors": "weights", "log.csv": ""},
    "metrics": {"sft.json": '{"value": 1}\n'},
    "unused": {"x.json": "{}"},
    "report": {"index.html": "<html>", "figures/a.svg": "<svg/>"},
}


def build(store: Store, source: dict[str, Any] = EMBEDDED) -> dict[str, str]:
    """A made-up study with a model and a corpus; returns the identities by rule."""
    Path("corpus.csv").write_text("id,text\n1,Dear diary\n")
    Path("patterns.yaml").write_text("version: 1\n")
    identities = {}
    for rule, files in FILES.items():
        call = {
            "models": lambda: call_of(
                "models", [MODEL], inputs={}, step="models.fetch", settings={"model": OF_THE_MODEL}
            ),
            "essays": lambda: call_of(
                "essays",
                [ESSAYS],
                inputs={"corpus": ["corpus.csv"], "moderation": ["patterns.yaml"]},
                sources=("corpus", "moderation"),
                step="essays.prepare",
                settings={"essays": {"source": source}},
            ),
            "pairs": lambda: call_of("pairs", [PAIRS], inputs={"essays": [ESSAYS]}),
            "finetune": lambda: call_of(
                "finetune",
                [ADAPTER],
                inputs={"model": [MODEL], "pairs": [PAIRS]},
                step="finetune.sft",
                code={"mimic": "0" * 16},
            ),
            "metrics": lambda: call_of(
                "metrics", [METRICS], inputs={"adapter": [ADAPTER], "essays": [ESSAYS]}
            ),
            "unused": lambda: call_of("unused", ["results/x.json"], inputs={}),
            "report": lambda: call_of("report", [REPORT], inputs={"metrics": [METRICS]}),
        }[rule]()
        identities[rule] = run(store, call, files)
    return identities


@pytest.fixture
def store(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MIMIC_STORE", raising=False)
    Path("Snakefile").write_text("rule all:\n")
    Path("LICENSE").write_text("Apache License\n")
    rules = Path("workflow/rules")
    rules.mkdir(parents=True)
    (rules / "essays.smk").write_text("rule essays:\n")
    shutil.copytree(project / "config", "config")
    SETTINGS.write_text("report: {title: A study, authors: [The team]}\n")
    return Store(Path("results/.store"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("validator") / "http"
    fill_cache(place)
    return place


def crate(name: str = "study.zip") -> Path:
    assert cli.main(["crate", name]) == 0
    return Path(name)


def entities(place: Path) -> dict[str, Any]:
    with zipfile.ZipFile(place) as archive:
        metadata = json.loads(archive.read("ro-crate-metadata.json"))
    return {entity["@id"]: entity for entity in metadata["@graph"]}


def of_type(found: dict[str, Any], kind: str) -> list[Any]:
    return [entity for entity in found.values() if entity["@type"] == kind]


def test_it_is_a_provenance_run_crate(store: Store, cache: Path) -> None:
    build(store)
    assert issues_of(crate(), cache) == []


def test_so_is_one_of_a_human_corpus(store: Store, cache: Path) -> None:
    build(store, CSV)
    assert issues_of(crate(), cache) == []


def _without(name: str, key: str) -> Callable[[Any], None]:
    def change(metadata: Any) -> None:
        (entity,) = (e for e in metadata["@graph"] if e["@id"] == name)
        del entity[key]

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_without("./", "datePublished"), "`datePublished`"),
        (_without("#organise", "instrument"), "OrganizeAction must reference an entity"),
        (lambda metadata: metadata["@context"].pop(), "sha256"),
        (
            lambda metadata: metadata["@graph"].append({"@id": "gone.csv", "@type": "File"}),
            "gone.csv",
        ),
    ],
)
def test_the_validator_finds_what_was_broken(
    store: Store, cache: Path, tmp_path: Path, change: Callable[[Any], None], words: str
) -> None:
    build(store)
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(crate()) as archive:
        archive.extractall(folder)
    place = folder / "ro-crate-metadata.json"
    metadata = json.loads(place.read_text())
    change(metadata)
    place.write_text(json.dumps(metadata))
    assert any(words in issue for issue in issues_of(folder, cache))


def test_what_it_holds(store: Store) -> None:
    made = build(store)
    place = crate()
    behind = [made[rule] for rule in FILES if rule != "unused"]
    with zipfile.ZipFile(place) as archive:
        assert sorted(archive.namelist()) == sorted(
            [
                *(f"records/{identity}.json" for identity in behind),
                "LICENSE",
                "Snakefile",
                "config/config.yaml",
                "corpus.csv",
                "patterns.yaml",
                ADAPTER,
                ESSAYS,
                METRICS,
                PAIRS,
                REPORT,
                "results/finetune/sft/adapter.safetensors",
                "results/finetune/sft/log.csv",
                "results/pairs/tiny-sft-s1/train.jsonl",
                "results/report/figures/a.svg",
                "results/report/index.html",
                "ro-crate-metadata.json",
                "workflow/rules/essays.smk",
            ]
        )
        found = entities(place)
        for name in set(archive.namelist()) - {"ro-crate-metadata.json"}:
            data = archive.read(name)
            assert found[name]["sha256"] == hashlib.sha256(data).hexdigest()
            assert found[name]["contentSize"] == str(len(data))
    record = read_record(store.entry(made["finetune"]) / RECORD)
    assert found[f"records/{made['finetune']}.json"]["sha256"] == record["sha256"]["identity"]


@pytest.mark.parametrize("source", [EMBEDDED, CSV])
def test_what_it_names_it_describes(store: Store, source: dict[str, Any]) -> None:
    build(store, source)
    found = entities(crate())
    named = {
        value["@id"]
        for entity in found.values()
        for values in entity.values()
        for value in (values if isinstance(values, list) else [values])
        if isinstance(value, dict)
    }
    # What isn't described has an address of its own.
    assert [name for name in named - found.keys() if not name.startswith("http")] == []
    assert found.keys() - named == {"ro-crate-metadata.json"}


def test_what_it_says_of_the_study(store: Store) -> None:
    made = build(store)
    found = entities(crate())
    ended = read_record(store.entry(made["report"]) / RECORD)["circumstances"]["ended"]
    root = found["./"]
    assert (root["name"], root["datePublished"]) == ("A study", ended)
    assert found[root["author"]["@id"]]["name"] == "The team"
    assert found[root["mainEntity"]["@id"]]["@id"] == "Snakefile"
    assert found["workflow/rules/essays.smk"]["isPartOf"] == {"@id": "Snakefile"}
    job = found[f"#job-{made['finetune'][:12]}"]
    assert job["object"] == [{"@id": f"#{MODEL}"}, {"@id": PAIRS}]
    assert {"@id": "results/finetune/sft/adapter.safetensors"} in job["result"]
    record = read_record(store.entry(made["finetune"]) / RECORD)["circumstances"]
    assert (job["startTime"], job["endTime"]) == (record["started"], record["ended"])
    tool = found[job["instrument"]["@id"]]
    assert tool["name"] == "mimic.finetune.sft"
    assert {"@id": "#distribution-numpy-2.2.0"} in tool["softwareRequirements"]
    assert found["#rule-finetune"]["workExample"] == job["instrument"]
    jobs = [entity["@id"] for entity in of_type(found, "CreateAction")]
    assert len(jobs) == 7 and "#run" in jobs
    steps = sorted(of_type(found, "HowToStep"), key=lambda step: int(step["position"]))
    order = [step["name"] for step in steps]
    assert order.index("essays") < order.index("pairs") < order.index("finetune")
    assert order[-1] == "report"


def test_a_model_is_described_and_not_copied(store: Store) -> None:
    made = build(store)
    place = crate()
    found = entities(place)
    weights = found["#results/models/tiny/model.safetensors"]
    assert weights["sha256"] == hashlib.sha256(b"base weights").hexdigest()
    assert weights["description"].startswith("Not in this crate")
    address = f"https://huggingface.co/some/tiny/tree/{'a' * 40}"
    assert found[address]["version"] == "a" * 40
    assert found[found[address]["license"]["@id"]]["name"] == "Some-Licence"
    assert found[f"#job-{made['models'][:12]}"]["object"] == {"@id": address}
    assert b"base weights" not in place.read_bytes()


@pytest.mark.parametrize("source", [CSV, {"kind": "hub", "name": "x/y", "revision": "1"}, {}])
def test_texts_of_a_human_corpus_are_described_and_not_copied(
    store: Store, source: dict[str, Any]
) -> None:
    build(store, source)
    place = crate()
    found = entities(place)
    assert b"Dear diary" not in place.read_bytes()
    for name in ("corpus.csv", ESSAYS, PAIRS, "results/pairs/tiny-sft-s1/train.jsonl"):
        assert name not in found
        assert found[f"#{name}"]["sha256"] == hashlib.sha256(Path(name).read_bytes()).hexdigest()
    assert "results/finetune/sft/adapter.safetensors" in found
    # What the essays were filtered by is the project's own.
    assert "patterns.yaml" in found


def test_texts_of_an_unknown_corpus_are_not_copied(store: Store) -> None:
    # A study whose essays nothing brought in: nobody knows whose they are.
    from made_up_study import build as build_without_origins

    build_without_origins(store)
    found = entities(crate())
    assert ESSAYS not in found and f"#{ESSAYS}" in found
    assert "corpus.csv" in found


def test_where_a_corpus_is_from(store: Store) -> None:
    build(store, CSV)
    (address,) = (o["@id"] for o in entities(crate())["./"]["isBasedOn"] if "#" in o["@id"])
    corpus = entities(Path("study.zip"))[address]
    assert corpus["name"] == "Diaries"
    assert corpus["sha256"] == hashlib.sha256(Path("corpus.csv").read_bytes()).hexdigest()


def test_the_same_study_gives_the_same_bytes(store: Store) -> None:
    build(store)
    first = crate("first.zip").read_bytes()
    # All are hits now, with newer notes and links.
    build(store)
    assert crate("second.zip").read_bytes() == first
    with zipfile.ZipFile("first.zip") as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}


def test_a_commit_is_the_version_of_what_ran(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import made_up_study

    real = made_up_study.circumstances_part
    git = {"commit": "c" * 40, "dirty": True}
    monkeypatch.setattr(
        made_up_study, "circumstances_part", lambda **parts: real(**{**parts, "git": git})
    )
    build(store)
    found = entities(crate())
    assert found["Snakefile"]["version"] == f"{'c' * 40} with edits"
    (tool,) = (e for e in found.values() if e.get("name") == "mimic.finetune.sft")
    assert tool["softwareVersion"] == f"{'c' * 40} with edits"


def test_rule_and_run_are_those_of_the_record(store: Store) -> None:
    build(store)
    place = note_file(Path("results"), Path(METRICS))
    write_json(place, read_json(place) | {"rule": "made_up", "run": "made-up"})
    found = entities(crate())
    assert "#rule-metrics" in found
    assert not [word for word in ("made_up", "made-up") if word in json.dumps(found)]


def test_a_misfit_refuses_it(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    build(store)
    Path("results/finetune/sft/log.csv").unlink()
    Path("results/finetune/sft/log.csv").write_text('{"changed": 1}')
    assert cli.main(["crate", "study.zip"]) == 1
    assert "does not fit: results/finetune/sft/log.csv: its bytes" in capsys.readouterr().out
    assert not list(Path().glob("*study.zip*"))


def test_a_file_that_changes_meanwhile_refuses_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mimic.provenance import crate_command

    def change(_contents: object) -> None:
        Path("Snakefile").write_text("rule other:\n")

    build(store)
    monkeypatch.setattr(crate_command, "_check_privacy", change)
    assert cli.main(["crate", "study.zip"]) == 1
    assert "Snakefile: it changed while the crate was written" in capsys.readouterr().out
    assert not list(Path().glob("*study.zip*"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("there.zip", "there is such a file already"),
        ("study.tar", "a name that ends in .zip"),
        ("nowhere/study.zip", "no such folder"),
    ],
)
def test_mistakes_are_told_in_words(
    store: Store, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    build(store)
    Path("there.zip").write_text("mine")
    assert cli.main(["crate", name]) == 2
    assert words in capsys.readouterr().err
    assert Path("there.zip").read_text() == "mine"


def test_without_a_report(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["crate", "study.zip"]) == 2
    assert "the study has no report yet" in capsys.readouterr().err


def test_a_private_folder_refuses_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    folder = {"kind": "hub", "name": "/home/somebody/essays", "revision": "1"}
    build(store, folder)
    with pytest.raises(ValueError, match="names the folder /home/somebody, and a crate is passed"):
        write_crate(
            Path("study.zip"), root=Path("results"), settings=SETTINGS, title="T", authors=()
        )
    assert not list(tmp_path.glob("*study.zip*"))


def test_of_an_absolute_path_in_the_settings_the_name_is_left(store: Store) -> None:
    SETTINGS.write_text(
        "root: results/a  # as it is\nessays: {source: {kind: csv, path: /home/x/a.csv}}\n"
        "questionnaire: {generation: {prompts: ~/b.yaml}}\nreport: {title: My/home/x/a.csv}\n"
    )
    content = settings_content(Path.cwd() / SETTINGS)
    assert content.name == "config/config.yaml"
    assert content.source == (
        b"root: results/a  # as it is\nessays: {source: {kind: csv, path: a.csv}}\n"
        b"questionnaire: {generation: {prompts: b.yaml}}\nreport: {title: My/home/x/a.csv}\n"
    )


def test_settings_from_elsewhere_lie_in_config(store: Store, tmp_path: Path) -> None:
    other = tmp_path.parent / f"{tmp_path.name}-other.yaml"
    other.write_text("")
    assert settings_content(other).name == f"config/{other.name}"
