"""Step: one run answers an instrument in all forms for all profiles, by likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from mimic.chat import encode, render
from mimic.compute import ComputeSettings, load_model, load_tokenizer, prepare_torch
from mimic.files import read_json
from mimic.forms.authored import Form
from mimic.questionnaire.instruments import Instrument, Item, load_instrument
from mimic.questionnaire.prompts import describe, request
from mimic.questionnaire.settings import QuestionnaireSettings
from mimic.respondents.likelihood import LikelihoodRespondent, OnePrompt, SharedPrefix
from mimic.respondents.tree import Question, common_length
from mimic.step import Job, Progress, run_step
from mimic.traits import Profile, balanced_profiles

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Stand where a target or an item would; no real one begins like them.
_OTHER_TARGET = "#"
_OTHER_STATEMENT = "#"


@dataclass(frozen=True)
class Asked:
    """A question and what it is about."""

    profile: Profile
    form: Form
    item: Item
    question: Question


def main(job: Job) -> None:
    """Write ``answers.parquet``."""
    settings = job.parse(QuestionnaireSettings, "questionnaire")
    compute = job.parse(ComputeSettings, "compute")
    prepare_torch(compute, seed=0)
    adapter = job.folder("adapter") if job.inputs.get("adapter") else None
    tokenizer = load_tokenizer(job.folder("model"))
    model = load_model(job.folder("model"), compute=compute, adapter=adapter)
    respondent: LikelihoodRespondent = (
        SharedPrefix(model, batch_tokens=settings.batch_tokens)
        if settings.engine == "shared_prefix"
        else OnePrompt(model)
    )

    instrument = load_instrument(job.input("instrument"))
    forms = [
        Form(**{**values, "answers": tuple(values["answers"])})
        for values in read_json(job.input("forms"))
    ]
    profiles = balanced_profiles(settings.profiles)
    own = _own_texts(job, profiles)
    progress = Progress("answers", len(profiles) * len(forms) * len(instrument.items))
    rows: list[dict[str, Any]] = []
    for form in forms:
        for profile in profiles:
            about = describe(profile, own.get(str(profile)))
            asked = ask(tokenizer, form=form, profile=profile, about=about, instrument=instrument)
            for group in _by_prefix(asked):
                answers = respondent.answer([one.question for one in group])
                rows.extend(
                    row_of(one, probabilities)
                    for one, probabilities in zip(group, answers, strict=True)
                )
            progress.advance(len(asked))
    table = pd.DataFrame(rows)
    table.to_parquet(job.out / "answers.parquet", index=False)


def _own_texts(job: Job, profiles: Sequence[Profile]) -> dict[str, str]:
    """The first text of each profile, where the context is the run's own text.

    Copied and empty texts are passed over: what stands in a training essay isn't the run's own.

    Raises
    ------
    ValueError
        If a profile that is asked for has no text.
    """
    if not job.inputs.get("texts"):
        return {}
    texts = pd.read_csv(job.input("texts"), keep_default_na=False)
    texts = texts[(texts["copied"] == 0) & (texts["text"] != "")]
    first = texts.drop_duplicates("profile").set_index("profile")["text"]
    lacking = [str(profile) for profile in profiles if str(profile) not in first.index]
    if lacking:
        raise ValueError(
            f"{job.input('texts')}: no text of its own for {', '.join(lacking)}; raise "
            "writing.profiles to questionnaire.profiles, or writing.samples"
        )
    return {str(profile): str(text) for profile, text in first.items()}


def ask(
    tokenizer: PreTrainedTokenizerBase,
    *,
    form: Form,
    profile: Profile,
    about: str,
    instrument: Instrument,
) -> list[Asked]:
    """The questions of one form and profile, cut where other targets and items begin."""

    def tokens_of(about: str, statement: str) -> tuple[int, ...]:
        words = request(form, about=about, statement=statement)
        return tuple(encode(tokenizer, render(tokenizer, words) + form.lead))

    other_target = tokens_of(_OTHER_TARGET, _OTHER_STATEMENT)
    other_item = tokens_of(about, _OTHER_STATEMENT)
    options = tuple(option_variants(tokenizer, answer, lead=form.lead) for answer in form.answers)
    asked = []
    for item in instrument.items:
        tokens = tokens_of(about, item.statement())
        first = common_length(tokens, other_target)
        second = max(first, common_length(tokens, other_item))
        # At least one token must be left, for its scores are the answer.
        second = min(second, len(tokens) - 1)
        name = f"of item {item.id} in form {form.form} for {profile}"
        question = Question(tokens[:first], tokens[first:second], tokens[second:], options, name)
        asked.append(Asked(profile, form, item, question))
    return asked


def option_variants(
    tokenizer: PreTrainedTokenizerBase, answer: str, *, lead: str
) -> tuple[tuple[int, ...], ...]:
    """The token sequences of an option after the lead: as it is, and with a capital."""
    space = "" if lead[-1] in " (" else " "
    spellings = {space + answer, space + answer[:1].upper() + answer[1:]}
    return tuple(sorted({tuple(encode(tokenizer, spelling)) for spelling in spellings}))


def _by_prefix(asked: list[Asked]) -> list[list[Asked]]:
    groups: dict[tuple[tuple[int, ...], tuple[int, ...]], list[Asked]] = {}
    for one in asked:
        groups.setdefault((one.question.form, one.question.about), []).append(one)
    return list(groups.values())


def row_of(asked: Asked, probabilities: list[float]) -> dict[str, Any]:
    """A row of the answers: probabilities of agreement 1 to 5, their mass, the item's score.

    The raw score is Σ k p_k / Σ p_k; a minus-keyed item scores 6 minus that.
    """
    mass = sum(probabilities)
    if mass <= 0:
        raise ValueError(
            f"no mass on any option of form {asked.form.form} at item {asked.item.id}, "
            f"profile {asked.profile}; its format doesn't fit this model"
        )
    raw = sum(k * p for k, p in enumerate(probabilities, start=1)) / mass
    return {
        "profile": str(asked.profile),
        "item": asked.item.id,
        "trait": asked.item.trait,
        "keyed": asked.item.keyed,
        "cluster": asked.item.cluster,
        "form": asked.form.form,
        "format": asked.form.format,
        "wording": asked.form.wording,
        "order": asked.form.order,
        **{f"p{k}": p for k, p in enumerate(probabilities, start=1)},
        "mass": mass,
        "raw": raw,
        "y": raw if asked.item.keyed == "plus" else 6 - raw,
    }


if __name__ == "__main__":
    run_step(main)
