"""Step: one run answers an instrument in all forms for all subjects, by likelihood."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from mimic.chat import encode, encode_all, render
from mimic.compute import ComputeSettings, load_model, load_tokenizer, prepare_torch
from mimic.conditioning import adapters_of, conditioning_of
from mimic.files import read_json
from mimic.forms.authored import Form, read_forms
from mimic.progress import Progress
from mimic.questionnaire.instruments import Instrument, load_instrument, sentence
from mimic.questionnaire.options import continued
from mimic.questionnaire.prompts import request
from mimic.questionnaire.rows import OPTIONS, Asked, row_of
from mimic.questionnaire.settings import AskSettings
from mimic.questionnaire.subjects import Subject, authors, sketched, targets
from mimic.respondents.asked_model import answers_folder
from mimic.respondents.likelihood import LikelihoodRespondent, OnePrompt, SharedPrefix
from mimic.respondents.shards import Shard, own_shard
from mimic.respondents.store import AnswerStore, question_key
from mimic.respondents.tree import Question, Tokens, common_length
from mimic.step import Job, run_step
from mimic.traits import balanced_profiles

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Stand where a subject or an item would; no real one begins like them.
_OTHER_SUBJECT = "#"
_OTHER_STATEMENT = "#"
_MEND = "word lead or options otherwise in config/forms/authored.yaml, or leave the format out"
ROWS_TOGETHER = 5000
# By wording and item text: the number of the item's wording, 0 for the original, and its words.
Words = Mapping[str, Mapping[str, Mapping[str, Any]]]


def main(job: Job) -> None:
    """Write ``answers.parquet``."""
    settings = job.parse(AskSettings, "questionnaire")
    compute = job.parse(ComputeSettings, "compute")
    prepare_torch(compute, seed=0)
    shard = own_shard(compute.device)
    tokenizer = load_tokenizer(job.folder("model"), target_tokens=conditioning_of(job) == "token")
    instrument = load_instrument(job.input("instrument"))
    forms = read_forms(read_json(job.input("forms")))
    words = read_json(job.input("words"))
    subjects = _subjects(job, settings, tokenizer)
    for form in forms:
        # Before the model is loaded, so that a form that doesn't fit its tokens shows at once.
        ask(tokenizer, form=form, subject=subjects[0], instrument=instrument, words=words)

    def asked_of(form: Form, subject: Subject) -> list[Asked]:
        return ask(tokenizer, form=form, subject=subject, instrument=instrument, words=words)

    def tables() -> Generator[list[dict[str, Any]]]:
        for adapter, profiles in adapters_of(job, [subject.profile for subject in subjects]):
            own = [subject for subject in subjects if subject.profile in profiles]
            cells = [partial(asked_of, form, subject) for form in forms for subject in own]
            yield from _tables(job, adapter, cells, shard, items=len(instrument.items))

    with contextlib.closing(tables()) as made:
        if shard.is_first:
            _write(job.out / "answers.parquet", made)
        else:
            for _ in made:
                pass


def _tables(
    job: Job,
    adapter: Path | None,
    cells: Sequence[Callable[[], list[Asked]]],
    shard: Shard,
    *,
    items: int,
) -> Iterator[list[dict[str, Any]]]:
    """What the model with one adapter is asked and answers; the model is given up at the end.

    Parameters
    ----------
    cells
        What makes the questions of each form and subject, about so many `items`.
    shard
        Which of the processes that ask is this one; all but the first have no rows.
    """
    settings = job.parse(AskSettings, "questionnaire")
    compute = job.parse(ComputeSettings, "compute")
    model = load_model(job.folder("model"), compute=compute, adapter=adapter)
    respondent: LikelihoodRespondent = (
        SharedPrefix(model, batch_tokens=settings.batch_tokens)
        if settings.engine == "shared_prefix"
        else OnePrompt(model)
    )
    folder = answers_folder(job, engine=settings.engine, adapter=adapter)

    def rows(
        store: AnswerStore, some: Sequence[Callable[[], list[Asked]]]
    ) -> Iterator[list[dict[str, Any]]]:
        progress = Progress("answers", len(some) * items)
        for cell in some:
            yield [row_of(one, answer) for one, answer in answered(respondent, store, cell())]
            progress.advance(items)

    if shard.count > 1:
        with AnswerStore(folder, columns=OPTIONS) as store:
            for _ in rows(store, shard.share(cells)):
                pass
        shard.wait()
    if shard.is_first:
        # Opened again, it has what the others were answered.
        with AnswerStore(folder, columns=OPTIONS) as store:
            yield from rows(store, cells)


def answered(
    respondent: LikelihoodRespondent, store: AnswerStore, asked: Sequence[Asked]
) -> Iterator[tuple[Asked, list[float]]]:
    """The answers to questions of one form and subject; only what the store lacks is asked."""
    keys = [question_key(one.question) for one in asked]
    missing = store.missing(keys)
    lacking = [(key, one) for key, one in zip(keys, asked, strict=True) if key in missing]
    groups: dict[tuple[Any, Any], list[tuple[bytes, Asked]]] = {}
    for key, one in lacking:
        groups.setdefault((one.question.form, one.question.about), []).append((key, one))
    for group in groups.values():
        for found in respondent.answer([one.question for _, one in group]):
            for position, answer in found.items():
                store.add(group[position][0], answer)
    for key, one in zip(keys, asked, strict=True):
        yield one, list(store.get(key))


def ask(
    tokenizer: PreTrainedTokenizerBase,
    *,
    form: Form,
    subject: Subject,
    instrument: Instrument,
    words: Words,
) -> list[Asked]:
    """The questions of one form and subject, cut where other subjects and items begin."""
    lead = fitting_lead(tokenizer, form)

    def prompt(about: str, statement: str) -> str:
        return render(tokenizer, request(form, about=about, statement=statement)) + lead

    chosen = [words[form.wording][item.text.lower()] for item in instrument.items]
    prompts = [prompt(subject.about, sentence(own["phrase"])) for own in chosen]
    others = [prompt(_OTHER_SUBJECT, _OTHER_STATEMENT), prompt(subject.about, _OTHER_STATEMENT)]
    encoded = [tuple(ids) for ids in encode_all(tokenizer, [*others, *prompts])]
    (other_subject, other_item), own_tokens = encoded[:2], encoded[2:]
    options = option_tokens(tokenizer, replace(form, lead=lead), prompts, own_tokens)
    asked = []
    for item, own, tokens, answers in zip(
        instrument.items, chosen, own_tokens, options, strict=True
    ):
        first = common_length(tokens, other_subject)
        second = max(first, common_length(tokens, other_item))
        # At least one token must be left, for its scores are the answer.
        second = min(second, len(tokens) - 1)
        name = f"of item {item.id} in form {form.form} for {subject.subject}"
        question = Question(tokens[:first], tokens[first:second], tokens[second:], answers, name)
        asked.append(Asked(subject, form, item, own["variant"], question))
    return asked


def fitting_lead(tokenizer: PreTrainedTokenizerBase, form: Form) -> str:
    """The lead of a form's answers, without its last space where that belongs to the answer.

    Tokenizers in the manner of GPT-2 have tokens such as " 1", so that a prompt that ends with the
    space never goes on with "1".
    """
    if not form.lead.endswith(" "):
        return form.lead
    own = encode(tokenizer, form.lead)
    wholes = encode_all(tokenizer, [form.lead + answer for answer in form.answers])
    fits = all(whole[: len(own)] == own for whole in wholes)
    return form.lead if fits else form.lead.rstrip(" ")


def option_tokens(
    tokenizer: PreTrainedTokenizerBase,
    form: Form,
    prompts: Sequence[str],
    encoded: Sequence[Tokens],
) -> list[tuple[tuple[Tokens, ...], ...]]:
    """For each prompt and agreement 1 to 5 the tokens of its answer: as it is, with a capital.

    Parameters
    ----------
    prompts, encoded
        The form's rendered prompts with its lead, and their tokens.

    Raises
    ------
    ValueError
        If an option is the beginning of another, so that its probability would hold the other's;
        or see `mimic.questionnaire.options.continued`.
    """
    space = "" if form.lead[-1] in " (" else " "
    spellings = [
        list(dict.fromkeys(space + text for text in (answer, answer[:1].upper() + answer[1:])))
        for answer in form.answers
    ]
    texts = [text for own in spellings for text in own]
    made: dict[tuple[Tokens, ...], tuple[tuple[Tokens, ...], ...]] = {}
    found = []
    continuing = continued(
        tokenizer, prompts, encoded, texts=texts, where=f"form {form.form}", mend=_MEND
    )
    for tokens in continuing:
        if tokens not in made:
            each = iter(tokens)
            options = tuple(tuple(sorted({next(each) for _ in own})) for own in spellings)
            _check_beginnings(form, options)
            made[tokens] = options
        found.append(made[tokens])
    return found


def _check_beginnings(form: Form, options: Sequence[Sequence[Tokens]]) -> None:
    for number, variants in enumerate(options):
        for other, others in enumerate(options):
            if number != other and any(b[: len(a)] == a for a in variants for b in others):
                raise ValueError(
                    f"form {form.form}: the option {form.answers[number]!r} is the beginning of "
                    f"{form.answers[other]!r} in this model's tokens; {_MEND}"
                )


def _subjects(job: Job, settings: AskSettings, tokenizer: PreTrainedTokenizerBase) -> list[Subject]:
    if job.inputs["essays"]:
        if conditioning_of(job) == "adapter":
            raise ValueError(
                f"{job.name}: the run has an adapter for each profile and none for the author of "
                "an essay, whose profile it must not know; leave out the context human"
            )
        return authors(
            job.input("essays"),
            count=settings.human_essays,
            seed=settings.seed,
            tokenizer=tokenizer,
            text_tokens=settings.text_tokens,
        )
    profiles = balanced_profiles(settings.profiles)
    if job.inputs["sketches"]:
        return sketched(profiles, job.input("sketches"), conditioning_of(job))
    return targets(
        profiles,
        texts=job.input("texts") if job.inputs["texts"] else None,
        tokenizer=tokenizer,
        text_tokens=settings.text_tokens,
        conditioning=conditioning_of(job),
    )


def _write(path: Path, tables: Iterable[list[dict[str, Any]]]) -> None:
    """Write rows as they come, some thousands together: memory doesn't grow with their number."""
    waiting: list[dict[str, Any]] = []
    writer: pq.ParquetWriter | None = None
    for rows in tables:
        waiting += rows
        if len(waiting) >= ROWS_TOGETHER:
            writer = _append(path, waiting, writer)
            waiting = []
    if waiting:
        writer = _append(path, waiting, writer)
    if writer is not None:
        writer.close()


def _append(
    path: Path, rows: list[dict[str, Any]], writer: pq.ParquetWriter | None
) -> pq.ParquetWriter:
    table = pa.Table.from_pylist(rows)
    writer = writer or pq.ParquetWriter(path, table.schema)
    writer.write_table(table)
    return writer


if __name__ == "__main__":
    run_step(main)
