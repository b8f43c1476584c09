"""The command `mimic audit`: of one result, and of a whole study."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from made_up_study import (
    ADAPTER,
    ESSAYS,
    METRICS,
    REPORT,
    ROOT,
    build,
    call_of,
    calls,
    run,
)
from tampering import edit_record, replace

from mimic import cli
from mimic.files import read_json, write_json
from mimic.provenance.audit import study_of
from mimic.provenance.notes import note_file
from mimic.provenance.store import Store


def test_the_command(
    store: Store, made: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["audit", METRICS]) == 0
    tree = capsys.readouterr().out
    assert tree.startswith(f"{METRICS} sha256 ")
    assert f"── adapter: {ADAPTER} sha256" in tree
    assert "── corpus: corpus.csv source, sha256" in tree
    assert f"── essays: {ESSAYS} (above)" in tree
    assert "all fits: 3 outputs of 3 jobs (0 came as hits), 1 source files" in tree
    assert cli.main(["audit", str(Path(METRICS).resolve()), "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["fits"] is True
    assert plain["outputs"][METRICS]["inputs"] == {"adapter": [ADAPTER], "essays": [ESSAYS]}
    replace(METRICS, "{}")
    assert cli.main(["audit", METRICS]) == 1
    assert f"does not fit: {METRICS}" in capsys.readouterr().out
    assert cli.main(["audit", METRICS, "--json"]) == 1
    assert METRICS in json.loads(capsys.readouterr().out)["misfit"]


def test_what_came_as_a_hit_says_so_in_the_tree(
    store: Store, made: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["audit", METRICS]) == 0
    assert "came as a hit," not in capsys.readouterr().out.replace("\n", ",")
    run(store, calls()["finetune"], {})
    assert cli.main(["audit", METRICS]) == 0
    *tree, _ = capsys.readouterr().out.splitlines()
    assert [ADAPTER in line for line in tree if line.endswith("came as a hit")] == [True]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["audit"], "name one result"),
        (["audit", METRICS, "--all"], "name one result"),
        (["audit", "corpus.csv"], "no study has this result"),
        (["audit", "/etc/hostname"], "not below this folder"),
    ],
)
def test_mistakes_are_told_in_words(
    store: Store,
    made: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    assert cli.main(arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (METRICS, f"{METRICS}: can't be read"),
        ("results/none.json", "results/none.json: no such file; run snakemake"),
        ("elsewhere/none.json", "elsewhere/none.json: no such file; run snakemake"),
    ],
)
def test_a_missing_result_does_not_fit(
    store: Store,
    made: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    path: str,
    words: str,
) -> None:
    Path(METRICS).unlink()
    assert cli.main(["audit", path]) == 1
    assert f"does not fit: {words}" in capsys.readouterr().out
    assert cli.main(["audit", path, "--json"]) == 1
    assert words in json.loads(capsys.readouterr().out)["misfit"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"output": "metrics/sft.json", "identity": 5}', "half"]
)
@pytest.mark.parametrize("of", [METRICS, ESSAYS])
def test_a_broken_note_does_not_fit(
    store: Store, made: dict[str, str], capsys: pytest.CaptureFixture[str], of: str, text: str
) -> None:
    place = note_file(ROOT, Path(of))
    place.write_text(text)
    assert cli.main(["audit", METRICS]) == 1
    assert f"does not fit: {place}: not " in capsys.readouterr().out


def test_a_note_with_a_value_of_another_type_does_not_fit(
    store: Store, made: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    place = note_file(ROOT, Path(METRICS))
    for wrong in ({"identity": 5}, {"linked": None}, {"inputs": ["a"]}, {"inputs": {"a": [1]}}):
        write_json(place, read_json(place) | wrong)
        assert cli.main(["audit", METRICS]) == 1
        assert f"{place}: not a note" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("part", "key"),
    [
        *(("identity", key) for key in ("rule", "run", "settings", "seeds", "code", "inputs")),
        *(("identity", key) for key in ("environment", "sources", "origins", "outputs")),
        *(("circumstances", key) for key in ("started", "ended", "host", "git")),
        ("environment", "versions"),
    ],
)
def test_a_record_that_lacks_a_key_does_not_fit(
    store: Store, made: dict[str, str], capsys: pytest.CaptureFixture[str], part: str, key: str
) -> None:
    def change(record: Any) -> None:
        some = record["identity"]["environment"] if part == "environment" else record[part]
        del some[key]

    edit_record(store, made["finetune"], change, mend=True)
    assert cli.main(["audit", METRICS]) == 1
    said = capsys.readouterr().out
    assert f"{made['finetune']}/record.json: not a record (" in said
    assert f"{key} is missing" in said


@pytest.fixture
def default_root(project: Path, made: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_root", lambda _configfile: ROOT)
    outputs = {Path(path) for path in (ESSAYS, ADAPTER, METRICS, REPORT)}
    monkeypatch.setattr(cli, "named_outputs", lambda _configfile: outputs)


@pytest.mark.usefixtures("default_root")
def test_the_root_digest(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["audit", "--all"]) == 0
    said = capsys.readouterr().out
    written = Path("results/audit.txt").read_text().splitlines()
    digest = written[0].split()[0]
    assert f"root digest {digest}" in said
    assert [line.split("  ")[1] for line in written[1:]] == [
        "essays/essays.csv",
        "finetune/sft/manifest.json",
        "metrics/sft.json",
        "report/manifest.json",
    ]
    # As sha256sum gives it of the lines below.
    assert hashlib.sha256("\n".join(written[1:]).encode()).hexdigest() == digest
    # The same study gives the same digest: hits, and made anew at another time on another host.
    for again in ("hits", "made anew"):
        if again == "made anew":
            shutil.rmtree(store.root)
            monkeypatch.setattr("platform.node", lambda: "elsewhere")
        build(store)
        assert cli.main(["audit", "--all"]) == 0
        assert Path("results/audit.txt").read_text().splitlines() == written
        assert "It differs" not in capsys.readouterr().out
    assert cli.main(["audit", "--all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["root_digest"] == digest


@pytest.mark.usefixtures("default_root")
def test_results_of_former_settings_are_left_out(store: Store) -> None:
    former = call_of("judge", ["results/judge/old.csv"], inputs={"essays": [ESSAYS]})
    run(store, former, {"old.csv": "1"})
    replace("results/judge/old.csv", "2")
    assert cli.main(["audit", "--all"]) == 0
    assert cli.main(["audit", "results/judge/old.csv"]) == 1


def test_what_is_not_behind_the_report_is_audited_too(
    store: Store,
    default_root: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    beside = "results/judge/beside.csv"
    run(store, call_of("judge", [beside], inputs={"essays": [ESSAYS]}), {"beside.csv": "1"})
    monkeypatch.setattr(cli, "named_outputs", lambda _configfile: {Path(REPORT), Path(beside)})
    assert cli.main(["audit", "--all"]) == 0
    assert "1 outputs among them are not behind the report" in capsys.readouterr().out
    replace(beside, "2")
    assert cli.main(["audit", "--all"]) == 1
    assert f"does not fit: {beside}" in capsys.readouterr().out


@pytest.mark.usefixtures("default_root")
def test_a_file_and_all_that_vouches_for_it_changed_together(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["audit", "--all"]) == 0
    # Somebody makes the last two results say something else, with records, notes and store.
    for rule, files in (
        ("metrics", {"sft.json": '{"value": 9}\n'}),
        ("report", {"index.html": "<html>9", "figures/a.svg": "<svg/>"}),
    ):
        call = calls()[rule]
        note = read_json(note_file(ROOT, call.outputs[0]))
        shutil.rmtree(store.entry(note["identity"]))
        run(store, call, files)
    capsys.readouterr()
    assert cli.main(["audit", "--all"]) == 0
    assert (
        "It differs from the one that stood there: metrics/sft.json, report/manifest.json"
        in capsys.readouterr().out
    )


@pytest.mark.usefixtures("default_root")
def test_the_whole_study_with_a_misfit_writes_nothing(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    replace("results/report/figures/a.svg", "<svg>other</svg>")
    assert cli.main(["audit", "--all"]) == 1
    assert "does not fit: results/report/figures/a.svg" in capsys.readouterr().out
    assert not Path("results/audit.txt").exists()
    os.remove(REPORT)
    assert cli.main(["audit", "--all"]) == 1
    assert "the study has no report yet" in capsys.readouterr().out


def test_whose_study(store: Store, made: dict[str, str]) -> None:
    assert study_of(Path(METRICS)) == ROOT
    with pytest.raises(ValueError, match="no study has this result"):
        study_of(Path("elsewhere/x.json"))
