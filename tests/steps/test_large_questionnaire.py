"""A questionnaire of 230,400 prompts, ended by force and started again, with a tiny model."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from mimic.files import write_json
from mimic.forms.authored import load_authored
from mimic.forms.draw import draw_forms
from mimic.questionnaire.instruments import load_instrument

PROFILES, ITEMS = 32, 120


def job_file(folder: Path, *, project: Path, model: Path, wordings: int) -> Path:
    """A job that asks 120 items of 32 profiles in five formats × wordings × both orders."""
    authored = load_authored(project / "config/forms/authored.yaml")
    names = tuple(authored.wordings)[:wordings]
    instrument = project / "config/instruments/ipip_neo_120.yaml"
    items = load_instrument(instrument).items
    forms = draw_forms(authored, formats=tuple(authored.formats), wordings=names)
    originals = {item.text.lower(): {"variant": 0, "phrase": item.text} for item in items}
    out = folder / f"out{wordings}"
    out.mkdir(exist_ok=True)
    write_json(folder / "forms.json", [form.as_dict() for form in forms])
    write_json(folder / "words.json", dict.fromkeys(names, originals))
    settings = {
        "questionnaire": {"profiles": PROFILES, "batch_tokens": 2048},
        "compute": {"threads": 2},
        "engine_code": "0",
    }
    inputs = {
        "model": [str(model)],
        "forms": [str(folder / "forms.json")],
        "words": [str(folder / "words.json")],
        "instrument": [str(instrument)],
        **{name: [] for name in ("adapter", "texts", "essays", "sketches")},
    }
    job = {"name": "large", "settings": settings, "inputs": inputs, "out": str(out)}
    path = folder / "job.json"
    places = ("answers", "unfinished", "log", "measured")
    write_json(path, job | {name: str(folder / name) for name in places})
    return path


def start(job: Path, project: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "mimic.questionnaire.ask", str(job)],
        env=os.environ | {"PYTHONPATH": str(project / "workflow"), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


def done_in(line: str) -> int:
    """How many answers a line of progress counts."""
    words = line.split()
    return int(words[2]) if words[1:2] == ["answers"] else 0


def kept(folder: Path) -> int:
    """Answers on the disk."""
    return sum(len(pd.read_parquet(p)) for p in (folder / "answers").rglob("*.parquet"))


@pytest.mark.slowest
def test_it_streams_loses_little_when_killed_and_asks_only_a_further_wording(
    tmp_path: Path, project: Path, tiny_model: Path
) -> None:
    job = job_file(tmp_path, project=project, model=tiny_model, wordings=6)
    total = PROFILES * ITEMS * 60
    assert total == 230_400

    process = start(job, project)
    assert process.stdout is not None
    began, done = time.monotonic(), 0
    for line in process.stdout:
        done = done_in(line)
        if time.monotonic() - began > 80:
            break
    rate = done / (time.monotonic() - began)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 0 < done < total
    # At most the last minute's answers are lost.
    assert kept(tmp_path) >= done - 60 * rate

    process = start(job, project)
    assert process.stdout is not None
    peaks = []
    for _ in process.stdout:
        if psutil.pid_exists(process.pid):
            peaks.append((psutil.Process(process.pid).memory_info().rss, _))
    assert process.wait() == 0
    assert kept(tmp_path) == total
    answers = pd.read_parquet(
        tmp_path / "out6/answers.parquet", columns=["form", "subject", "item"]
    )
    assert len(answers) == total
    assert not answers.duplicated().any()
    # Memory at the end is that of the beginning, but for keys and answers in memory: 450 bytes each
    # were measured. A row of the table, kept, would take some 2,000.
    sizes = [size for size, _ in peaks]
    assert sizes[-1] < sizes[len(sizes) // 4] + 600 * total * 3 / 4

    # One wording more: 32 × 120 × 5 formats × 2 orders.
    more = job_file(tmp_path, project=project, model=tiny_model, wordings=7)
    before = kept(tmp_path)
    process = start(more, project)
    process.communicate()
    assert process.returncode == 0
    assert kept(tmp_path) - before == PROFILES * ITEMS * 10
    assert json.loads((tmp_path / "words.json").read_text()).keys() >= {"describes"}
