"""The study's forms and prompts between a synthetic respondent and the scores of its answers.

A respondent means an agreement. It answers with the option whose words say so in what it is shown,
and the code that reads real answers tells what it answered: the row of the option probabilities, or
the parser of answers in words. Each form is read once for each agreement, whatever is asked in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from mimic.forms.authored import Form
from mimic.forms.released import LetterFormat, Released, ReleasedFormat
from mimic.gates.gate import Gate, equal
from mimic.gates.option_words import agreements, listed
from mimic.questionnaire import in_words, rows
from mimic.questionnaire.instruments import Instrument
from mimic.questionnaire.instruments import Item as FullItem
from mimic.questionnaire.subjects import Subject
from mimic.respondents.base import Prompt
from mimic.respondents.synthetic import MASS, Questionnaire
from mimic.respondents.tree import Question
from mimic.stats import bootstrap
from mimic.traits import ALL_PROFILES

AGREEMENTS = (1, 2, 3, 4, 5)
_UNTOLD = ", in the order of the file, for the words don't tell it"


@dataclass(frozen=True)
class Asked(Questionnaire):
    """What is asked, and how the answers are read.

    Attributes
    ----------
    counted
        For each form, what an answer is counted as that says nothing and one that means agreement
        1, 2, 3, 4, 5. By likelihood that is an agreement; in words an option, from 1 to 5 in
        published order, 0 for none.
    """

    counted: tuple[tuple[int, ...], ...]

    def repeated(self, often: int) -> Asked:
        """The same questionnaire with each form asked so often."""
        return replace(self, forms=self.forms * often, counted=self.counted * often)

    def options(self, agreement: np.ndarray) -> np.ndarray:
        """The options that are read in answers in words, 0 for none.

        Parameters
        ----------
        agreement
            What is meant, NaN for nothing, shape (profiles, forms, items); between two options the
            nearer one is answered.
        """
        meant = np.where(np.isnan(agreement), 0, np.rint(agreement)).astype(np.int64)
        forms = np.arange(len(self.forms))[None, :, None]
        return np.asarray(np.array(self.counted)[forms, meant])

    def probabilities(self, meant: np.ndarray) -> np.ndarray:
        """Probability of each agreement as the rows of answers have it.

        Parameters
        ----------
        meant
            Probability of each agreement that is meant, shape (profiles, forms, items, 5).
        """
        moved = np.array(self.counted)[:, 1:, None] == np.array(AGREEMENTS)
        return np.asarray(np.einsum("pfim,fmk->pfik", meant, moved.astype(float)))


class Reading(NamedTuple):
    """A form as it is read.

    Attributes
    ----------
    form
        What it is called.
    counted
        A row of `Asked.counted`.
    found
        Which agreements are read of answers that mean 1 to 5, in words; several ways of putting an
        item or an answer are joined where they differ.
    told
        Whether the options' words tell their order.
    """

    form: bootstrap.Form
    counted: tuple[int, ...]
    found: str
    told: bool


def read_by_likelihood(instrument: Instrument, forms: Sequence[Form]) -> list[Reading]:
    """The forms of a questionnaire that is answered by likelihood, through the rows of answers."""
    by_keying = {item.keyed: item for item in instrument.items}
    readings = []
    for form in forms:
        words = listed(form.instruction, form.answers)
        says = agreements(words) if words else None
        place = {agreement: n for n, agreement in enumerate(says or AGREEMENTS)}
        found = []
        counted: tuple[int, ...] = ()
        for item in by_keying.values():
            scored = [_row(form, item, place[agreement]) for agreement in AGREEMENTS]
            counted = (0, *(round(row["raw"]) for row in scored))
            plus = item.keyed == "plus"
            found.append(_listed([row["y"] if plus else 6 - row["y"] for row in scored]))
        own = bootstrap.Form(form.form, form.format, form.wording, form.order)
        readings.append(Reading(own, counted, _joined(found), told=says is not None))
    return readings


def read_in_words(instrument: Instrument, released: Released) -> list[Reading]:
    """The formats of a prompts file, through the lead-in and the parser."""
    item = instrument.items[0]
    readings = []
    for name, form in released.by_name().items():
        symbols = getattr(form, "symbols", form.options)
        words = listed(form.request, symbols) or form.options
        says = agreements(words)
        ways = [_ranked(symbols, says)]
        if isinstance(form, LetterFormat):
            bracketed = [f"({letter})" for letter in symbols]
            ways += [_ranked(bracketed, says), _ranked(form.options, agreements(form.options))]
        read = [[_option(name, form, item, answer) for answer in way] for way in ways]
        readings.append(
            Reading(
                bootstrap.Form(name, name, "published", "published"),
                (_option(name, form, item, ""), *read[0]),
                _joined([_listed([6 - one if one else 0 for one in way]) for way in read]),
                told=says is not None,
            )
        )
    return readings


def asked_of(instrument: Instrument, readings: Sequence[Reading]) -> Asked:
    """An instrument in these forms, asked of all 32 profiles."""
    return Asked(
        ALL_PROFILES,
        tuple(reading.form for reading in readings),
        tuple(
            bootstrap.Item(item.id, item.trait, item.keyed, item.cluster)
            for item in instrument.items
        ),
        tuple(reading.counted for reading in readings),
    )


def reading_gates(readings: Sequence[Reading], *, of: str) -> list[Gate]:
    """Whether agreement 1 to 5 is read as that, a gate for each format."""
    gates = []
    for name in dict.fromkeys(reading.form.format for reading in readings):
        own = [reading for reading in readings if reading.form.format == name]
        known = "" if all(reading.told for reading in own) else _UNTOLD
        gates.append(
            equal(
                "options",
                f"{of}, {name}",
                expected=_listed(AGREEMENTS) + known,
                found=_joined([reading.found for reading in own]) + known,
            )
        )
    return gates


def _row(form: Form, item: FullItem, place: int) -> dict[str, float]:
    """The row of an answer whose whole mass is on one of the form's answers."""
    probabilities = [0.0] * len(form.answers)
    probabilities[place] = MASS
    subject = Subject("gates", ALL_PROFILES[0], about="")
    question = Question((), (), (), (), name=f"of the gates in form {form.form}")
    return rows.row_of(rows.Asked(subject, form, item, 0, question), probabilities)


def _option(name: str, form: ReleasedFormat, item: FullItem, answer: str) -> int:
    """The option that is read in an answer, or in the lead-in alone where nothing is answered."""
    prompt = Prompt("", name=f"of the gates in format {name}")
    asked = in_words.Asked(ALL_PROFILES[0], name, form, item, prompt)
    text = f"{form.lead} {answer}, for that is how I am." if answer else form.lead
    return int(in_words.row_of(asked, text)["option"])


def _ranked(answers: Sequence[str], says: Sequence[int] | None) -> list[str]:
    """What is answered for agreement 1 to 5; where no words tell, the first is most like me."""
    by_agreement = dict(zip(says or AGREEMENTS[::-1], answers, strict=True))
    return [by_agreement[agreement] for agreement in AGREEMENTS]


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)


def _joined(found: Sequence[str]) -> str:
    """What differs, once each."""
    return " and ".join(dict.fromkeys(found))
