"""Step: a language model's rewordings of all items, and which of them pass the checks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mimic.chat import render
from mimic.compute import ComputeSettings, load_model, load_tokenizer, prepare_torch
from mimic.files import write_json
from mimic.forms.admission import (
    Admission,
    Reading,
    check_meaning,
    check_reading,
    check_words,
)
from mimic.forms.authored import load_rewordings
from mimic.forms.reading import read_phrases
from mimic.forms.settings import ProposalSettings
from mimic.judge.features import embed, embedder_folder
from mimic.progress import Progress, say
from mimic.questionnaire.instruments import Item, load_instrument, sentence
from mimic.respondents.base import Prompt, TextRespondent
from mimic.respondents.generation import GenerationRespondent
from mimic.respondents.likelihood import LikelihoodRespondent, OnePrompt, SharedPrefix
from mimic.step import Job, run_step

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REQUEST = (
    'A person says: "{statement}" Write {each} other sentences that mean the same in other words, '
    "each on a line of its own. Each begins with I, keeps what is affirmed or denied, and has at "
    "most 14 words. Write nothing else."
)
# Sampled, so that the sentences differ; greedy models tend to write one of them again and again.
TEMPERATURE, TOP_P = 0.7, 0.9
TOKENS_EACH = 24
BATCH_SIZE, BATCH_TOKENS = 8, 512

_CONTRACTIONS = {"I'm": "I am", "I've": "I have", "I'd": "I would", "I'll": "I will"}
Similarity = Callable[[Sequence[str], Sequence[str]], np.ndarray]
Read = Callable[[Mapping[str, Sequence[str]]], Iterable[Reading]]


@dataclass(frozen=True)
class Candidate:
    """A proposed phrase, and the text of its item in small letters."""

    text: str
    phrase: str


@dataclass(frozen=True)
class Rejected:
    """A candidate that isn't admitted, and the check that it failed."""

    candidate: Candidate
    reason: str


def main(job: Job) -> None:
    """Write ``proposed.json`` and ``rejected.csv``."""
    settings = job.parse(ProposalSettings, "proposals")
    compute = job.parse(ComputeSettings, "compute")
    prepare_torch(compute, seed=settings.seed)
    rewordings = load_rewordings(job.input("rewordings"))
    items = items_by_text(
        item for path in job.inputs["instruments"] for item in load_instrument(path).items
    )
    known = [own[0].text for own in items.values()]
    known += [phrase for phrases in rewordings.items.values() for phrase in phrases]
    tokenizer = load_tokenizer(job.folder("model"))
    model = load_model(job.folder("model"), compute=compute)
    writer = GenerationRespondent(
        model,
        tokenizer,
        batch_size=BATCH_SIZE,
        max_new_tokens=TOKENS_EACH * settings.each,
        temperature=TEMPERATURE,
        top_p=TOP_P,
        seed=settings.seed,
    )
    proposed, rejected = propose(writer, tokenizer, items, each=settings.each)
    # After the writing, for the first of them replaces the model's attention.
    reader: LikelihoodRespondent = (
        SharedPrefix(model, batch_tokens=BATCH_TOKENS)
        if job.settings["engine"] == "shared_prefix"
        else OnePrompt(model)
    )
    admitted, failed = admit(
        proposed,
        items=items,
        known=known,
        similarity=lambda phrases, texts: _similarity(phrases, texts, threads=compute.threads),
        read=lambda phrases: read_phrases(reader, tokenizer, phrases),
    )
    rejected += failed
    write_json(
        job.out / "proposed.json",
        {
            own[0].text: [one.phrase for one in admitted if one.text == text]
            for text, own in items.items()
            if any(one.text == text for one in admitted)
        },
    )
    rows = [(items[r.candidate.text][0].text, r.candidate.phrase, r.reason) for r in rejected]
    table = pd.DataFrame(rows, columns=["item", "phrase", "reason"])
    table.to_csv(job.out / "rejected.csv", index=False, lineterminator="\n")
    counts = Counter(one.reason for one in rejected)
    say(f"{len(admitted)} of {len(admitted) + len(rejected)} proposed rewordings are admitted")
    for reason, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        say(f"rejected, {reason}: {count}")


def items_by_text(items: Iterable[Item]) -> dict[str, list[Item]]:
    """The items of each text in small letters; several where instruments share a text."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.text.lower(), []).append(item)
    return found


def propose(
    respondent: TextRespondent,
    tokenizer: PreTrainedTokenizerBase,
    items: Mapping[str, Sequence[Item]],
    *,
    each: int,
) -> tuple[list[Candidate], list[Rejected]]:
    """Ask for rewordings of each item; the candidates, and the lines that hold none."""
    prompts = [
        Prompt(
            render(tokenizer, REQUEST.format(statement=own[0].statement(), each=each)),
            name=f"to reword {own[0].text!r}",
        )
        for own in items.values()
    ]
    progress = Progress("items reworded", len(prompts))
    answers: dict[int, str] = {}
    for batch in respondent.answers(prompts):
        answers.update(batch)
        progress.advance(len(batch))
    candidates, rejected = [], []
    for position, text in enumerate(items):
        phrases, others = phrases_of(answers[position], each=each)
        candidates += [Candidate(text, phrase) for phrase in phrases]
        rejected += [Rejected(Candidate(text, line), "no sentence") for line in others]
    return candidates, rejected


def phrases_of(answer: str, *, each: int) -> tuple[list[str], list[str]]:
    """The phrases of an answer, and lines before the last of them that are no sentence with ``I``.

    Numbers, bullets and quotation marks around a sentence are dropped, and it loses its subject and
    its full stop. A line without a full stop is no sentence: the answer may have been cut there.
    """
    phrases: list[str] = []
    others: list[str] = []
    for line in answer.replace("’", "'").splitlines():
        cleaned = re.sub(r"^\s*(?:\(?\d+[.):]|[-*•])?\s*", "", line).strip(" \t\"'“”*")
        if not cleaned:
            continue
        if len(phrases) == each:
            break
        for short, full in _CONTRACTIONS.items():
            cleaned = re.sub(rf"^{short}\b", full, cleaned)
        found = re.fullmatch(r"I (\S.*)\.", cleaned)
        if found is None:
            others.append(cleaned)
        else:
            phrases.append(found[1][:1].upper() + found[1][1:])
    return phrases, others


def admit(
    candidates: Sequence[Candidate],
    *,
    items: Mapping[str, Sequence[Item]],
    known: Sequence[str],
    similarity: Similarity,
    read: Read,
) -> tuple[list[Candidate], list[Rejected]]:
    """Which candidates pass all checks, and which check each of the others failed first.

    Parameters
    ----------
    candidates
        In order; one that is nearly equal to an earlier one is rejected.
    items
        All items by their text in small letters.
    known
        All phrases that there are.
    similarity
        Gives the cosines of sentences, shape (phrases, texts).
    read
        Gives the reading of each phrase, asked about the traits given with it.
    """
    rejected: list[Rejected] = []
    all_known = list(known)

    def passing(one: Candidate, admission: Admission) -> bool:
        if not admission.admitted:
            rejected.append(Rejected(one, admission.reason))
        return admission.admitted

    worded = []
    for one in candidates:
        if passing(one, check_words(one.phrase, known=all_known)):
            worded.append(one)
            all_known.append(one.phrase)
    texts = list(items)
    clusters = [own[0].cluster for own in items.values()]
    found = similarity([one.phrase for one in worded], [own[0].text for own in items.values()])
    near = [
        one
        for one, row in zip(worded, found, strict=True)
        if passing(one, check_meaning(row, own=texts.index(one.text), clusters=clusters))
    ]
    keys = {
        text: list(dict.fromkeys((item.trait, item.keyed) for item in own))
        for text, own in items.items()
    }
    readings = read({one.phrase: [trait for trait, _ in keys[one.text]] for one in near})
    admitted = [
        one
        for one, reading in zip(near, readings, strict=True)
        if passing(one, check_reading(reading, keys=keys[one.text]))
    ]
    return admitted, rejected


def _similarity(phrases: Sequence[str], texts: Sequence[str], *, threads: int) -> np.ndarray:
    sentences = [sentence(phrase) for phrase in [*phrases, *texts]]
    found = embed(sentences, folder=embedder_folder(), threads=threads)
    return found[: len(phrases)] @ found[len(phrases) :].T


if __name__ == "__main__":
    run_step(main)
