"""The answer store: keys, what is found again, damaged and foreign files, memory, rights."""

import multiprocessing
import os
import resource
import stat
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from kept_answers import OPTIONS, answer, files, fill, key, known, process_of, wait_for

from mimic.respondents.store import (
    AnswerStore,
    BaseStore,
    TextStore,
    question_key,
    respondent_identity,
    text_key,
)
from mimic.respondents.tree import Question

QUESTION = Question((1, 2, 3), (4, 5), (6,), (((7,), (8,)), ((9, 10),)))
WHO: dict[str, Any] = {
    "model": "a" * 64,
    "adapter": None,
    "engine": {"name": "shared_prefix", "code": "b" * 64},
    "compute": {"precision": "float32", "attention": "sdpa", "device": "cpu", "threads": 1},
}


def test_what_was_added_is_found_by_the_next(tmp_path: Path) -> None:
    with AnswerStore(tmp_path / "a" / "b", OPTIONS) as kept:
        assert kept.missing([key(2), key(1), key(2)]) == [key(2), key(1)]
        kept.add(key(1), answer(1))
        assert kept.get(key(1)) == tuple(answer(1))
        assert kept.missing([key(2), key(1)]) == [key(2)]
        with pytest.raises(KeyError):
            kept.get(key(2))
    (path,) = files(tmp_path / "a" / "b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert pq.read_table(path).column_names == ["key", *OPTIONS]
    assert [path.name for path in path.parent.iterdir()] == [path.name]
    # A further wording: only that is asked.
    with AnswerStore(tmp_path / "a" / "b", OPTIONS) as kept:
        assert len(kept._rows) == 1
        assert kept.missing([key(1), key(3)]) == [key(3)]
        kept.add(key(3), answer(3))
    assert known(tmp_path / "a" / "b") == [1, 3]
    assert len(files(path.parent)) == 2


def test_numbers_come_back_to_the_last_bit(tmp_path: Path) -> None:
    hard = [0.1 + 0.2, 5e-324, 1 / 3, float(np.nextafter(1, 2)), 0.0]
    with AnswerStore(tmp_path, OPTIONS) as kept:
        kept.add(key(1), hard)
    with AnswerStore(tmp_path, OPTIONS) as kept:
        assert [x.hex() for x in kept.get(key(1))] == [x.hex() for x in hard]


def test_texts(tmp_path: Path) -> None:
    texts = ["", "Agree.\r\n", "É 同意 🙂 \x00", "x" * 10_000]
    with TextStore(tmp_path) as kept:
        for number, text in enumerate(texts):
            kept.add(key(number), text)
        with pytest.raises(ValueError, match="surrogates"):
            kept.add(key(9), "\ud800")
    with TextStore(tmp_path) as kept:
        assert [kept.get(key(number)) for number in range(4)] == texts
        assert kept.missing([key(9)]) == [key(9)]


def test_the_same_answers_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        fill(tmp_path / name, range(50))
    (one,), (other,) = files(tmp_path / "a"), files(tmp_path / "b")
    assert one.name == other.name
    assert one.read_bytes() == other.read_bytes()
    # Nothing to write: no file.
    fill(tmp_path / "a", range(50))
    fill(tmp_path / "c", range(0))
    assert files(tmp_path / "a") == [one]
    assert files(tmp_path / "c") == []


def test_an_identity_covers_all_that_answers_depend_on() -> None:
    changed = [
        {"model": "c" * 64},
        {"adapter": "c" * 64},
        {"model": "b" * 64, "engine": {"name": "shared_prefix", "code": "a" * 64}},
        {"engine": {**WHO["engine"], "name": "one_prompt"}},
        {"compute": {**WHO["compute"], "threads": 2}},
        {"compute": {**WHO["compute"], "precision": "bfloat16"}},
    ]
    found = {respondent_identity(**{**WHO, **change}) for change in [{}, *changed]}
    assert len(found) == 7
    assert all(len(name) == 64 and int(name, 16) for name in found)
    turned = {**WHO, "compute": dict(reversed(WHO["compute"].items()))}
    assert respondent_identity(**turned) == respondent_identity(**WHO)


def test_a_question_is_its_tokens_cuts_and_options() -> None:
    others = [
        replace(QUESTION, form=(1, 2, 4)),
        # The same prompt, cut elsewhere.
        replace(QUESTION, form=(1, 2), about=(3, 4, 5)),
        replace(QUESTION, about=(4,), ending=(5, 6)),
        replace(QUESTION, options=(((7,),), ((8,), (9, 10)))),
        replace(QUESTION, options=(((9, 10),), ((7,), (8,)))),
        replace(QUESTION, options=(((7,), (8,)), ((9,), (10,)))),
    ]
    keys = {question_key(question) for question in [QUESTION, *others]}
    assert len(keys) == 7
    assert {len(key) for key in keys} == {16}
    assert question_key(replace(QUESTION, name="another")) == question_key(QUESTION)


def test_a_text_is_asked_again_with_other_settings() -> None:
    first = text_key("Do you agree?", {"temperature": 0.0, "seed": 1})
    assert len(first) == 16
    assert text_key("Do you agree?", {"seed": 1, "temperature": 0.0}) == first
    assert text_key("Do you agree?", {"seed": 2, "temperature": 0.0}) != first
    assert text_key("Do you agree!", {"seed": 1, "temperature": 0.0}) != first


@pytest.mark.parametrize("damage", ["cut short", "emptied", "one bit"])
def test_a_damaged_file_is_set_aside_and_asked_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    fill(tmp_path, range(10))
    (good,) = files(tmp_path)
    fill(tmp_path, range(20))
    (other,) = set(files(tmp_path)) - {good}
    content = bytearray(other.read_bytes())
    if damage == "one bit":
        content[len(content) // 2] ^= 1
    else:
        del content[len(content) // 2 if damage == "cut short" else 0 :]
    other.chmod(0o644)
    other.write_bytes(content)
    capsys.readouterr()

    assert known(tmp_path) == list(range(10))
    said = capsys.readouterr().out
    assert f"{other}: cut short or damaged, its {len(content)} bytes" in said
    (aside,) = files(tmp_path, ".damaged")
    assert aside.name == f"{other.name}.damaged"
    assert aside.read_bytes() == content
    # Given again they are written again, under the name of the damaged file.
    fill(tmp_path, range(20))
    assert sorted(files(tmp_path)) == sorted([good, other])
    capsys.readouterr()
    assert known(tmp_path) == list(range(20))
    assert capsys.readouterr().out == ""


def test_a_file_of_another_kind_is_no_answer(tmp_path: Path) -> None:
    fill(tmp_path, range(3))
    (path,) = files(tmp_path)
    with pytest.raises(ValueError, match=r"has the columns key, p1, .*, not key, text; "):
        TextStore(tmp_path)
    with pytest.raises(ValueError, match=r"not key, yes, no; "):
        AnswerStore(tmp_path, ("yes", "no"))
    assert files(tmp_path) == [path]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("notes.parquet", "README", ".hidden"):
        (tmp_path / name).write_text("mine")
    fill(tmp_path, range(3))
    assert known(tmp_path) == [0, 1, 2]
    assert (tmp_path / "notes.parquet").read_text() == "mine"


def test_answers_that_differ_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in (("a", 1.0), ("b", 2.0)):
        with AnswerStore(tmp_path / name, OPTIONS) as kept:
            kept.add(key(1), answer(1))
            kept.add(key(2), [value] * 5)
    paths = files(tmp_path / "a") + files(tmp_path / "b")
    first = min(paths, key=lambda path: path.name)
    for path in paths:
        path.rename(tmp_path / path.name)
    capsys.readouterr()
    with AnswerStore(tmp_path, OPTIONS) as kept:
        expected = 1.0 if first.parent.name == "a" else 2.0
        assert kept.get(key(2)) == (expected,) * 5
        said = capsys.readouterr().out
        assert f"{tmp_path}: questions answered twice, and differently: 1; the first" in said
        kept.add(key(1), answer(1))
        assert capsys.readouterr().out == ""
        kept.add(key(1), answer(3))
        assert "answered twice, and differently: 1" in capsys.readouterr().out
        assert list(kept.get(key(1))) == answer(1)


def test_wrong_values_are_refused(tmp_path: Path) -> None:
    with AnswerStore(tmp_path, OPTIONS) as kept:
        kept.add(key(1), answer(1))
        with pytest.raises(ValueError, match="4 numbers for the columns p1, p2, p3, p4, p5"):
            kept.add(key(2), answer(2)[:4])
        with pytest.raises(ValueError, match="a key of 3 bytes"):
            kept.add(b"abc", answer(2))
        kept.add(key(3), answer(3))
    assert known(tmp_path) == [1, 3]


COUNT = 230_400


def opening(folder: Path, said: Connection) -> None:
    """Tells how many MB of memory an open store takes, at most and then, and how long it took."""
    process = psutil.Process()
    # Count the peak from here on: what came before, in this process or its maker, is none of it.
    Path("/proc/self/clear_refs").write_text("5")
    before, started = process.memory_info().rss, time.process_time()
    with AnswerStore(folder, OPTIONS) as kept:
        seconds = time.process_time() - started
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        said.send(((most - before) / 1e6, (process.memory_info().rss - before) / 1e6, seconds))
        assert len(kept._rows) == COUNT


def test_a_large_questionnaire_takes_little_memory(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    numbers = random.random((COUNT, 5))
    keys = [row.tobytes() for row in random.integers(2**63, size=(COUNT, 2))]
    started = time.process_time()
    with AnswerStore(tmp_path, OPTIONS) as kept:
        for name, row in zip(keys, numbers, strict=True):
            kept.add(name, row.tolist())
    adding_s = time.process_time() - started
    size = sum(path.stat().st_size for path in files(tmp_path))
    receiver, sender = multiprocessing.Pipe(duplex=False)
    wait_for(process_of(opening, tmp_path, sender))
    most, held, opening_s = receiver.recv()
    print(f"{adding_s=:.1f} {opening_s=:.1f} {size=} {most=:.0f} {held=:.0f}")
    # 56 bytes of key and numbers each.
    assert size < 60 * COUNT
    assert held < 100
    assert most < 130
    assert adding_s < 10
    assert opening_s < 10
    with AnswerStore(tmp_path, OPTIONS) as kept:
        assert kept.missing([*keys, key(1)]) == [key(1)]
        assert kept.get(keys[-1]) == tuple(numbers[-1])


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "answers"):
        with pytest.raises(ValueError) as caught:
            AnswerStore(folder, OPTIONS)
        words = f"{folder}: the answer store can't be used (File exists: {tmp_path}/file); make it"
        assert str(caught.value).startswith(words)

    def read_only(path: Path, *_arguments: object) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "touch", read_only)
    with pytest.raises(ValueError, match=r"\(Read-only file system: .*let MIMIC_STORE name"):
        AnswerStore(tmp_path / "answers", OPTIONS)


def test_a_folder_without_the_right_to_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(ValueError, match=r"the answer store can't be used \(Permission denied"):
            AnswerStore(tmp_path, OPTIONS)
    finally:
        tmp_path.chmod(0o755)


def test_who_shares_the_store_shares_the_answers(tmp_path: Path) -> None:
    tmp_path.chmod(0o775)
    former = os.umask(0o022)
    try:
        fill(tmp_path / "answers" / "one", range(3))
    finally:
        os.umask(former)
    for folder in (tmp_path / "answers", tmp_path / "answers" / "one"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o775


def test_closing_twice_is_no_mistake(tmp_path: Path) -> None:
    kept: BaseStore[Any] = AnswerStore(tmp_path, OPTIONS)
    kept.add(key(1), answer(1))
    kept.close()
    kept.close()
    assert known(tmp_path) == [1]
