"""Moderation in the essays step: the local list, and an API on this machine."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from launched import environment, write_job
from moderation_server import KEY, ModerationServer, Reply, verdict

from mimic import api
from mimic.essays.prepare import main
from mimic.step import Job

ROOT = Path(__file__).parents[2]
RESOURCES = ROOT / "workflow" / "resources"
VARIABLE = "TEST_MODERATION_KEY"
MURDERS = 7


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """The composed essays; every 14th, 7 of 96, tells of a murder."""
    with (RESOURCES / "composed_essays.csv").open(encoding="utf-8", newline="") as handle:
        header, *rows = csv.reader(handle)
    for row in rows[::14]:
        row[1] += " Then I read of a murder."
    path = tmp_path / "corpus.csv"
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([header, *rows])
    return path


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    monkeypatch.setattr(api, "WAITS_S", (0.0, 0.0))


def job_of(folder: Path, corpus: Path, moderation: dict[str, Any]) -> Job:
    out = folder / "out"
    out.mkdir(parents=True, exist_ok=True)
    essays = {
        "source": {"kind": "csv", "path": str(corpus), "composed": True},
        "moderation": moderation,
    }
    return Job(
        name="essays",
        settings={"essays": essays},
        inputs={"corpus": [corpus], "moderation": [RESOURCES / "moderation.yaml"]},
        out=out,
        answers=folder.parent / "answers",
    )


def prepare(folder: Path, corpus: Path, moderation: dict[str, Any]) -> Any:
    main(job_of(folder, corpus, moderation))
    return json.loads((folder / "out/summary.json").read_text(encoding="utf-8"))


def bytes_below(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_the_local_list_is_the_default_and_none_keeps_all(tmp_path: Path, corpus: Path) -> None:
    found = prepare(tmp_path / "local", corpus, {"kind": "local"})
    assert found["rejected"] == {"moderated: violence": MURDERS}
    assert (found["rows"], found["essays"]) == (96, 96 - MURDERS)
    moderation = found["moderation"]
    assert (moderation["kind"], moderation["version"]) == ("local", 1)
    assert (moderation["checked"], moderation["filtered"]) == (96, MURDERS)
    assert moderation["categories"]["violence"] == MURDERS
    for trait in moderation["traits"].values():
        assert sum(trait["filtered"].values()) == MURDERS
        assert trait["filtered"]["high"] + trait["kept"]["high"] == 48
    rejected = pd.read_csv(tmp_path / "local/out/rejected.csv")
    assert list(rejected["row"]) == list(range(2, 98, 14))
    assert rejected["id"][0] == "composed_00"
    essays = pd.read_csv(tmp_path / "local/out/essays.csv")
    assert not set(rejected["id"]) & set(essays["id"])
    assert not essays["text"].str.contains("murder").any()
    # What was filtered stands nowhere.
    assert b"murder" not in bytes_below(tmp_path / "local/out")

    kept = prepare(tmp_path / "none", corpus, {"kind": "none"})
    assert (kept["essays"], kept["moderation"], kept["rejected"]) == (96, None, {})


def test_an_api_filters_what_it_flags(
    tmp_path: Path, corpus: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with ModerationServer() as server:
        found = prepare(tmp_path / "a", corpus, server.settings())
        assert set(server.sent.values()) == {1} and len(server.sent) == 96
        assert server.asked[0] == {
            "path": "/v1/moderations",
            "model": "moderation-latest",
            "authorization": f"Bearer {KEY}",
        }
        # Other settings of the essays, another wording of the terms: nothing is sent again, and
        # no key is needed.
        del os.environ[VARIABLE]
        again = prepare(tmp_path / "b", corpus, server.settings(terms="the same, in other words"))
        assert len(server.asked) == 96
    assert found["rejected"] == {"moderated: violence": MURDERS}
    moderation = found["moderation"]
    assert moderation["answered_by"] == {"moderation-2026": 96}
    assert moderation["categories"] == {"illicit": 0, "violence": MURDERS, "violence/graphic": 0}
    assert (moderation["consent"], moderation["model"]) == (
        "made-up essays, nobody's",
        "moderation-latest",
    )
    assert again["sha256"] == found["sha256"]
    everything = bytes_below(tmp_path / "a") + bytes_below(tmp_path / "answers")
    assert KEY.encode() not in everything
    assert b"murder" not in everything
    captured = capfd.readouterr()
    assert KEY not in captured.out + captured.err


def test_a_busy_api_is_asked_again(tmp_path: Path, corpus: Path) -> None:
    def reply(number: int, _text: str) -> Reply | None:
        return {2: (429, {"Retry-After": "0"}, {}), 5: (503, {}, b"")}.get(number)

    with ModerationServer(reply) as server:
        found = prepare(tmp_path / "a", corpus, server.settings())
        assert len(server.asked) == 98
    assert found["moderation"]["filtered"] == MURDERS


TEXTS_IN_ANSWERS = b'{"error": "Then I read of a murder"}'
FLAGGED_WITHOUT_CATEGORY = verdict("") | {
    "results": [{"flagged": True, "categories": {"violence": False}}]
}


@pytest.mark.parametrize(
    ("reply", "message", "asked"),
    [
        (
            (401, {}, {"error": {"code": "invalid_api_key", "message": f"Incorrect key {KEY}"}}),
            r"answered 401 Unauthorized \(invalid_api_key\); check .* the key in TEST_MODERATION",
            1,
        ),
        ((400, {}, TEXTS_IN_ANSWERS), "answered 400 Bad Request; check", 1),
        ((302, {"Location": "https://elsewhere.example"}, b""), "answered 302 Found; check", 1),
        ((200, {}, b"<html>murder</html>"), "is no verdict", 1),
        ((200, {}, {"model": "m", "results": []}), "is no verdict", 1),
        ((200, {}, FLAGGED_WITHOUT_CATEGORY), "is no verdict", 1),
        (
            (429, {}, {"error": {"code": "insufficient_quota"}}),
            r"answered 429 Too Many Requests \(insufficient_quota\); start again later",
            3,
        ),
        ((429, {"Retry-After": "86400"}, {}), "asks to wait 86400 s; start again later", 1),
    ],
)
def test_an_essay_that_is_not_judged_stops_the_job(
    tmp_path: Path,
    corpus: Path,
    capfd: pytest.CaptureFixture[str],
    reply: Reply,
    message: str,
    asked: int,
) -> None:
    with ModerationServer(lambda number, _text: reply if number > 3 else None) as server:
        with pytest.raises(ValueError, match=rf"essay composed_\d\d: .*{message}.*3 of 96") as stop:
            prepare(tmp_path / "a", corpus, server.settings())
        assert len(server.asked) == 3 + asked
        said = str(stop.value) + "".join(capfd.readouterr())
        assert KEY not in said and "murder" not in said
        assert not (tmp_path / "a/out/essays.csv").exists()
        # The three that were judged aren't sent again.
        server.reply = lambda _number, _text: None
        prepare(tmp_path / "a", corpus, server.settings())
        assert sorted(server.sent.values()) == [1] * 95 + [1 + asked]


def test_an_api_that_is_not_there_stops_the_job(tmp_path: Path, corpus: Path) -> None:
    with ModerationServer() as server:
        settings = server.settings()
    with pytest.raises(ValueError, match=r"can't be reached \(ConnectionRefusedError.*0 of 96"):
        prepare(tmp_path / "a", corpus, settings)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "TEST_MODERATION_KEY is not set"),
        (" ", "TEST_MODERATION_KEY is not set"),
        ("sk-1\nsk-2", "TEST_MODERATION_KEY holds no key"),
        ("sk-é", "TEST_MODERATION_KEY holds no key"),
    ],
)
def test_no_essay_leaves_without_a_key(
    tmp_path: Path,
    corpus: Path,
    monkeypatch: pytest.MonkeyPatch,
    value: str | None,
    message: str,
) -> None:
    monkeypatch.delenv(VARIABLE)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    with ModerationServer() as server:
        with pytest.raises(ValueError, match=message) as stop:
            prepare(tmp_path / "a", corpus, server.settings())
        assert not server.asked
    assert "sk-" not in str(stop.value)


def test_a_killed_job_goes_on_without_sending_an_essay_twice(tmp_path: Path, corpus: Path) -> None:
    stuck, go_on = threading.Event(), threading.Event()

    def reply(number: int, _text: str) -> Reply | None:
        if number == 41:
            stuck.set()
            go_on.wait(300)
        return None

    with ModerationServer(reply) as server:
        job = job_of(tmp_path / "a", corpus, server.settings())
        command = [sys.executable, "-m", "mimic.essays.prepare", str(write_job(job))]
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
        assert stuck.wait(300)
        # Nothing waits to be written: the 40 answers are on the disk already.
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        go_on.set()
        assert (sum(server.sent.values()), len(server.sent)) == (41, 41)
        done = subprocess.run(
            command, env=environment(), capture_output=True, text=True, timeout=600, check=True
        )
        # The one that was under way was never answered; all others came once.
        assert (sum(server.sent.values()), len(server.sent)) == (97, 96)
    assert KEY not in done.stdout + done.stderr
    summary = json.loads((job.out / "summary.json").read_text())
    assert summary["moderation"]["answered_by"] == {"moderation-2026": 96}
    assert summary["moderation"]["filtered"] == MURDERS
