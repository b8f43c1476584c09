"""The second reading of phrases by a model: which trait the words show, and which end of it.

Each question is asked by likelihood with its options in several orders, so that a preference for a
place in the list can't look like an answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mimic.chat import encode_all, render
from mimic.forms.admission import Reading
from mimic.questionnaire.instruments import sentence
from mimic.questionnaire.options import continued
from mimic.respondents.likelihood import LikelihoodRespondent, all_answers
from mimic.respondents.tree import Question, common_length
from mimic.traits import TRAITS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LEAD = "Answer: ("
LETTERS = "ABCDE"
# Stands where a statement would; no real one begins like it.
_OTHER_STATEMENT = "#"
_ABOUT = {
    "openness": "imagination, art, feelings, new ideas and new experiences",
    "conscientiousness": "order, duty, diligence, planning and self-control",
    "extraversion": "company, talking, leading, activity and high spirits",
    "agreeableness": "trust, honesty, kindness, modesty and peace with others",
    "neuroticism": "worry, anger, sadness, shyness, cravings and trouble with strain",
}
_ENDS = {"plus": "a high degree of it", "minus": "a low degree of it"}


@dataclass(frozen=True)
class Order:
    """A question with its options in one order: what it asks, and what each letter stands for."""

    asked: str
    options: tuple[str, ...]
    lines: tuple[str, ...]

    def request(self, statement: str) -> str:
        """The words of the question."""
        listed = [f"({letter}) {line}" for letter, line in zip(LETTERS, self.lines, strict=False)]
        lines = "\n".join([self.asked, *listed, "Answer with one letter."])
        return f"{lines}\n\nStatement: {statement}"


def trait_orders() -> list[Order]:
    """Which trait a statement shows: each trait stands once in each place."""
    turned = [TRAITS[start:] + TRAITS[:start] for start in range(len(TRAITS))]
    return [
        Order(
            "Which personality trait does the statement show? It may show a high or a low degree "
            "of the trait.",
            traits,
            tuple(f"{trait}: {_ABOUT[trait]}" for trait in traits),
        )
        for traits in turned
    ]


def keying_orders(trait: str) -> list[Order]:
    """Which degree of a trait a statement shows, in both orders."""
    asked = (
        f"One personality trait is {trait}: {_ABOUT[trait]}. Which degree of it does the statement "
        "show?"
    )
    return [
        Order(asked, ends, tuple(_ENDS[end] for end in ends))
        for ends in (("plus", "minus"), ("minus", "plus"))
    ]


def read_phrases(
    respondent: LikelihoodRespondent,
    tokenizer: PreTrainedTokenizerBase,
    phrases: Mapping[str, Collection[str]],
) -> Iterator[Reading]:
    """What a reader finds in each phrase.

    Parameters
    ----------
    respondent
        Who reads.
    tokenizer
        Its tokenizer.
    phrases
        For each phrase the traits whose degree is asked about.

    Yields
    ------
    Reading
        In the order of `phrases`.
    """
    traits = [_found(respondent, tokenizer, order, list(phrases)) for order in trait_orders()]
    keyed: dict[str, dict[str, tuple[str, ...]]] = {phrase: {} for phrase in phrases}
    for trait in TRAITS:
        own = [phrase for phrase, asked in phrases.items() if trait in asked]
        ends = [_found(respondent, tokenizer, order, own) for order in keying_orders(trait)]
        for phrase, *found in zip(own, *ends, strict=True):
            keyed[phrase][trait] = tuple(found)
    for phrase, *found in zip(phrases, *traits, strict=True):
        yield Reading(tuple(found), keyed[phrase])


def _found(
    respondent: LikelihoodRespondent,
    tokenizer: PreTrainedTokenizerBase,
    order: Order,
    phrases: Sequence[str],
) -> list[str]:
    """The likeliest option for each phrase."""
    if not phrases:
        return []

    statements = [_OTHER_STATEMENT, *map(sentence, phrases)]
    prompts = [render(tokenizer, order.request(statement)) + LEAD for statement in statements]
    other, *asked = (tuple(ids) for ids in encode_all(tokenizer, prompts))
    letters = LETTERS[: len(order.options)]
    options = continued(
        tokenizer,
        prompts[1:],
        asked,
        texts=letters,
        where="the second reading of rewordings",
        mend="let forms.proposals.model name another model, or set forms.proposals to null",
    )
    # All share the shortest beginning that one of them shares with a statement of other words.
    shared = min(common_length(tokens, other) for tokens in asked)
    answers = all_answers(
        respondent,
        [
            Question(
                tokens[:shared],
                (),
                tokens[shared:],
                tuple((letter,) for letter in own),
                f"of the reading of {phrase!r}",
            )
            for tokens, own, phrase in zip(asked, options, phrases, strict=True)
        ],
    )
    return [order.options[max(range(len(found)), key=found.__getitem__)] for found in answers]
