"""Training examples before they are trained on: how long they are, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mimic.chat import encode_all
from mimic.files import read_jsonl
from mimic.finetune.processes import tell

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Tokens of an essay that a training example must hold.
LEAST_ROOM = 8
# What a row has besides its prompt: one essay, or two of which the first is preferred. Named by the
# column that says which essay it is.
ESSAYS = {"completion": "essay", "chosen": "essay", "rejected": "rejected_essay"}


@dataclass(frozen=True)
class Limits:
    """How long an example can be.

    Attributes
    ----------
    max_length
        The setting of that name.
    context
        Tokens that the model can read at once; None if its configuration doesn't say.
    setting
        The name of the method's section, for messages.
    """

    max_length: int
    context: int | None
    setting: str


def read_rows(
    path: Path,
    *,
    tokenizer: PreTrainedTokenizerBase,
    limits: Limits,
    first: int | None = None,
    profile: str | None = None,
) -> list[dict[str, Any]]:
    """Read examples, check them, and add the ``length`` in tokens that each is trained with.

    Parameters
    ----------
    path
        One example on each line.
    first
        How many of them are used; None for all.
    profile
        The profile whose examples are read; None for all. It may have none in a part.

    Raises
    ------
    ValueError
        Naming the row and how to mend it: no room for an essay behind its prompt, an essay longer
        than the model's context, an empty essay, two essays of a pair that are the same.
    """
    rows = [{"number": number, **row} for number, row in enumerate(read_jsonl(path), 1)]
    if not rows:
        raise ValueError(f"{path}: no rows; give the part of the essays that it is made of more")
    rows = [row for row in rows if profile is None or row["profile"] == profile][:first]
    if not rows:
        return []
    prompts = _tokens(tokenizer, [row["prompt"] for row in rows], generation=True)
    _check_room(path, rows, prompts, limits)
    sides = [side for side in ESSAYS if side in rows[0]]
    whole = {
        side: _tokens(tokenizer, [row["prompt"] + row[side] for row in rows], generation=False)
        for side in sides
    }
    cut = 0
    for number, row in enumerate(rows):
        for side in sides:
            if not row[side][0]["content"].strip():
                raise ValueError(f"{_named(path, row, side)} is empty; remove it")
            _check_context(_named(path, row, side), len(whole[side][number]), limits)
        ids = [whole[side][number] for side in sides]
        cut += max(map(len, ids)) > limits.max_length
        if len(sides) > 1 and len({tuple(each[: limits.max_length]) for each in ids}) == 1:
            raise ValueError(_same_essays(path, row, limits))
        row["length"] = min(max(map(len, ids)), limits.max_length)
    if cut:
        tell(
            f"{path.name}: {cut} of {len(rows)} are longer than {limits.max_length} tokens and cut"
        )
    return rows


def _tokens(
    tokenizer: PreTrainedTokenizerBase, conversations: list[Any], *, generation: bool
) -> list[list[int]]:
    texts = tokenizer.apply_chat_template(
        conversations, tokenize=False, add_generation_prompt=generation
    )
    return encode_all(tokenizer, texts)


def _named(path: Path, row: dict[str, Any], side: str) -> str:
    return f"{path}, row {row['number']}: essay {row[ESSAYS[side]]}"


def _check_room(
    path: Path, rows: list[dict[str, Any]], prompts: list[list[int]], limits: Limits
) -> None:
    longest = max(range(len(rows)), key=lambda number: len(prompts[number]))
    needed = len(prompts[longest]) + LEAST_ROOM
    if limits.max_length < needed:
        raise ValueError(
            f"max_length is {limits.max_length}, but the longest prompt has {needed - LEAST_ROOM} "
            f"tokens ({path}, row {rows[longest]['number']}); set {limits.setting}.max_length to "
            f"at least {needed}"
        )


def _check_context(named: str, length: int, limits: Limits) -> None:
    if limits.context is not None and min(length, limits.max_length) > limits.context:
        raise ValueError(
            f"{named} has {length} tokens with its prompt, of which {limits.setting}.max_length "
            f"leaves {min(length, limits.max_length)}, but the model's context is "
            f"{limits.context}; set {limits.setting}.max_length to {limits.context} or less"
        )


def _same_essays(path: Path, row: dict[str, Any], limits: Limits) -> str:
    texts = {row[side][0]["content"] for side in ("chosen", "rejected")}
    within = "" if len(texts) == 1 else f" in the {limits.max_length} tokens that max_length leaves"
    mend = "" if len(texts) == 1 else f", or raise {limits.setting}.max_length"
    return (
        f"{path}, row {row['number']}: the chosen essay {row['essay']} and the rejected essay "
        f"{row['rejected_essay']} are the same{within}, so there is nothing to prefer; remove one "
        f"of them from the corpus{mend}"
    )
