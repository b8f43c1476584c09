"""A local model that answers by likelihood: the probability of each option, from forward passes.

Two engines give the same answers within rounding. ``shared_prefix`` computes what prompts share
once: the instruction for all targets, the target for all items, and of the endings each token of
their tree. ``one_prompt`` computes each prompt alone, for models that it doesn't fit.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch

from mimic.respondents.attention import NAME, Rows, Segment, computing, shared_prefix_attention
from mimic.respondents.tree import Question, Tokens, TokenTree, steps_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Lengths are rounded up, so that a number's bytes don't depend on what is computed with it: a sum
# over a multiple of the width of vector registers has no remainder that is added in another order,
# and few rows of a matrix product are computed by other code than many.
SUMMED, ROWS = 32, 8
# How far log-probabilities may be from those of a plain forward pass. bfloat16 has eight bits, and
# each pass rounds in another order.
BOUNDS = {torch.float32: 1e-4}
OTHER_BOUND = 0.5
_WAY_OUT = "set questionnaire.engine to one_prompt"
# The kinds of layers whose attention can be replaced, where a configuration names them.
_LAYERS = {"full_attention", "sliding_attention"}


class LikelihoodRespondent(Protocol):
    """Answers questions by the probability of each option."""

    def answer(self, questions: Sequence[Question]) -> Iterator[dict[int, list[float]]]:
        """Probability of each option, some questions at a time, as they are answered.

        The probability of an option is the sum over its variants of the probability of the whole
        token sequence, given the prompt. Nothing is renormalised: the rest of the mass lies on
        answers that are no option.

        Yields
        ------
        dict of int to list of float
            The probabilities of each option, by the position of their questions.

        Raises
        ------
        ValueError
            If a probability is no number; the message names the question.
        """
        ...


def all_answers(
    respondent: LikelihoodRespondent, questions: Sequence[Question]
) -> list[list[float]]:
    """All answers in order, shape (questions, options)."""
    found: dict[int, list[float]] = {}
    for some in respondent.answer(questions):
        found.update(some)
    return [found[position] for position in range(len(questions))]


class OnePrompt:
    """Each prompt by itself, in a plain forward pass; for any causal model."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model

    def answer(self, questions: Sequence[Question]) -> Iterator[dict[int, list[float]]]:
        """See `LikelihoodRespondent.answer`; one at a time."""
        for position, question in enumerate(questions):
            yield {position: self.probabilities(question)}

    def probabilities(self, question: Question) -> list[float]:
        """Probability of each option of one question."""
        # One pass serves all variants that it goes on to; mostly it is a single one.
        logs: dict[Tokens, torch.Tensor] = {}
        variants = [tokens for option in question.options for tokens in option]
        for tokens in sorted(variants, key=len, reverse=True):
            if any(known[: len(tokens) - 1] == tokens[:-1] for known in logs):
                continue
            ids = torch.tensor([question.prompt + tokens[:-1]], device=self.model.device)
            with torch.inference_mode():
                logits = self.model(ids, use_cache=False, logits_to_keep=len(tokens)).logits[0]
            logs[tokens[:-1]] = torch.log_softmax(logits[-len(tokens) :].float(), dim=-1)

        def probability(tokens: Tokens) -> float:
            scored = next(
                log for known, log in logs.items() if known[: len(tokens) - 1] == tokens[:-1]
            )
            return math.exp(sum(float(scored[i, token]) for i, token in enumerate(tokens)))

        found = [sum(probability(tokens) for tokens in option) for option in question.options]
        return _checked(question, found)


class SharedPrefix:
    """Questions of one form and target together, their shared prefix computed once.

    Parameters
    ----------
    model
        A causal model in evaluation mode. Its attention is replaced by
        `mimic.respondents.attention`. The first question that it is asked is computed by a plain
        forward pass too, so that a model that doesn't fit is found whatever it differs in.
    batch_tokens
        Tokens of endings and options in one forward pass, at most, but for a single question of
        more.

    Raises
    ------
    ValueError
        If the model's attention can't be replaced.
    """

    def __init__(self, model: PreTrainedModel, *, batch_tokens: int) -> None:
        from transformers import AttentionInterface

        if not getattr(model, "_supports_attention_backend", False):
            raise ValueError(
                f"{type(model).__name__} takes no attention function of ours; {_WAY_OUT}"
            )
        config = model.config.get_text_config()
        unfit = sorted(set(getattr(config, "layer_types", None) or ()) - _LAYERS)
        if unfit:
            raise ValueError(
                f"{type(model).__name__} has layers of the kind {', '.join(unfit)}, which don't "
                f"see a prefix through attention alone; {_WAY_OUT}"
            )
        self._window = _window(config)
        AttentionInterface.register(NAME, shared_prefix_attention)
        model.set_attn_implementation(NAME)
        self.model = model
        self.batch_tokens = batch_tokens
        self._compared = False
        self._form: Tokens | None = None
        self._form_prefix = Segment()

    def answer(self, questions: Sequence[Question]) -> Iterator[dict[int, list[float]]]:
        """See `LikelihoodRespondent.answer`; a tree at a time.

        Raises
        ------
        ValueError
            Also if the questions don't share `form` and `about`.
        """
        first = questions[0]
        if any(q.form != first.form or q.about != first.about for q in questions):
            raise ValueError("questions that are answered together must share form and target")
        self._check_window(questions)
        prefix = self._prefix(first.form, first.about)
        length = len(first.form) + len(first.about)
        # Endings that begin alike stand together and share their tokens.
        order = sorted(range(len(questions)), key=lambda n: questions[n].ending)
        for numbers, tree, steps in _trees([questions[n] for n in order], self.batch_tokens):
            logs = self._read(tree, steps, prefix=prefix, length=length)
            answers = {}
            for number, options in zip(numbers, steps, strict=True):
                question = questions[order[number]]
                found = [
                    sum(math.exp(sum(next(logs) for _ in variant)) for variant in variants)
                    for variants in options
                ]
                answers[order[number]] = _checked(question, found)
                if not self._compared:
                    self._compare(question, found)
                    self._compared = True
            yield answers

    def _check_window(self, questions: Sequence[Question]) -> None:
        longest = max(
            len(q.prompt) + max(len(tokens) for option in q.options for tokens in option) - 1
            for q in questions
        )
        if self._window is not None and longest > self._window:
            raise ValueError(
                f"a prompt has up to {longest} tokens and the model sees {self._window} back; "
                f"{_WAY_OUT}"
            )

    def _compare(self, question: Question, found: Sequence[float]) -> None:
        """Refuse the model if plain forward passes answer a question otherwise."""
        # transformers' reference: what other attention leaves out of a model, it doesn't.
        self.model.set_attn_implementation("eager")
        try:
            expected = OnePrompt(self.model).probabilities(question)
        finally:
            self.model.set_attn_implementation(NAME)
        # What is 0 in both is equal.
        least = sys.float_info.min
        apart = max(
            abs(math.log(max(a, least)) - math.log(max(b, least)))
            for a, b in zip(found, expected, strict=True)
        )
        bound = BOUNDS.get(self.model.dtype, OTHER_BOUND)
        if apart > bound:
            raise ValueError(
                f"{type(self.model).__name__}: the engine shared_prefix gives log-probabilities "
                f"{apart:.2g} from those of a plain forward pass (allowed are {bound:g} in "
                f"{self.model.dtype}) for the prompt {question.name}; {_WAY_OUT}"
            )

    def _prefix(self, form: Tokens, about: Tokens) -> Segment:
        """Keys and values of both shared segments; the form's are kept for the next target."""
        if form != self._form:
            self._form, self._form_prefix = form, self._chain(form, Segment(), 0)
        return self._chain(about, self._form_prefix, len(form))

    def _chain(self, tokens: Tokens, before: Segment, length: int) -> Segment:
        """Keys and values of a prefix and of `tokens` after it."""
        if not tokens:
            return before
        segment = Segment(prefix=before.prefix)
        positions = torch.arange(length, length + len(tokens))
        self._forward(torch.tensor(tokens), positions, segment, keep=torch.tensor([0]))
        return Segment(prefix=segment.computed)

    def _read(
        self,
        tree: TokenTree,
        steps: list[list[list[list[tuple[int, int]]]]],
        *,
        prefix: Segment,
        length: int,
    ) -> Iterator[float]:
        """Log-probability of each step, in order."""
        pairs = [pair for options in steps for option in options for v in option for pair in v]
        # What fills the last row up to a round number of tokens sees itself alone.
        filling = _rounded(len(tree.tokens), ROWS) - len(tree.tokens)
        tokens = torch.tensor(tree.tokens + [tree.tokens[0]] * filling)
        depths = torch.tensor([len(path) - 1 for path in tree.paths] + [0] * filling)
        rows = _laid_out(tree, filling).to(self.model.device)
        segment = Segment(prefix.prefix, rows)
        read = sorted({node for node, _ in pairs})
        keep = torch.tensor(read + [read[0]] * (_rounded(len(read), ROWS) - len(read)))
        logits = self._forward(tokens, length + depths, segment, keep=keep)
        total = logits.logsumexp(-1)
        place = {node: row for row, node in enumerate(read)}
        after = torch.tensor([place[node] for node, _ in pairs], device=logits.device)
        token = torch.tensor([token for _, token in pairs], device=logits.device)
        return iter((logits[after, token] - total[after]).tolist())

    def _forward(
        self, tokens: torch.Tensor, positions: torch.Tensor, segment: Segment, *, keep: torch.Tensor
    ) -> torch.Tensor:
        """Logits after the tokens `keep`, shape (kept, vocabulary)."""
        device = self.model.device
        with torch.inference_mode(), computing(segment):
            logits = self.model(
                tokens[None].to(device),
                position_ids=positions[None].to(device),
                use_cache=False,
                logits_to_keep=keep.to(device),
            ).logits[0]
        return logits.float()


def _trees(
    questions: Sequence[Question], batch_tokens: int
) -> Iterator[tuple[list[int], TokenTree, list[list[list[list[tuple[int, int]]]]]]]:
    """Trees of at most `batch_tokens` tokens: positions of their questions, tree, steps of each."""
    start = 0
    while start < len(questions):
        tree = TokenTree()
        numbers: list[int] = []
        steps: list[list[list[list[tuple[int, int]]]]] = []
        for number in range(start, len(questions)):
            question = questions[number]
            longest = len(question.ending) + sum(
                len(tokens) - 1 for option in question.options for tokens in option
            )
            if numbers and len(tree.tokens) + longest > batch_tokens:
                break
            steps.append(steps_of(tree, question))
            numbers.append(number)
        yield numbers, tree, steps
        start = numbers[-1] + 1


def _laid_out(tree: TokenTree, filling: int) -> Rows:
    """The rows of a tree, and one for the tokens that fill up, of which each sees itself alone."""
    count = len(tree.tokens)
    spans = [range(*ends) for ends in zip(tree.starts, [*tree.starts[1:], count], strict=True)]
    rows, paths = list(tree.rows), list(tree.paths)
    if filling:
        spans.append(range(count, count + filling))
        rows.append(list(spans[-1]))
        paths += [(node,) for node in spans[-1]]
    asking, width = _rounded(max(map(len, spans)), ROWS), _rounded(max(map(len, rows)), SUMMED)
    asked = torch.zeros((len(rows), asking), dtype=torch.long)
    filled = torch.zeros((len(rows), asking), dtype=torch.bool)
    seen = torch.zeros((len(rows), width), dtype=torch.long)
    hidden = torch.ones((len(rows), asking, width), dtype=torch.bool)
    for number, (row, span) in enumerate(zip(rows, spans, strict=True)):
        asked[number, : len(span)] = torch.tensor(span)
        filled[number, : len(span)] = True
        seen[number, : len(row)] = torch.tensor(row)
        place = {node: position for position, node in enumerate(row)}
        for position, node in enumerate(span):
            hidden[number, position, [place[ancestor] for ancestor in paths[node]]] = False
    return Rows(asked, filled, seen, hidden)


def _window(config: Any) -> int | None:
    """How far back a model sees at least, where some of its layers don't see all.

    Most models tell their attention; some tell the mask alone, which isn't used here.
    """
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    if not window or (kinds and "sliding_attention" not in kinds):
        return None
    return None if getattr(config, "use_sliding_window", None) is False else int(window)


def _rounded(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple


def _checked(question: Question, probabilities: list[float]) -> list[float]:
    if not all(math.isfinite(p) for p in probabilities):
        raise ValueError(
            f"the model gave no numbers for the prompt {question.name or question.ending}; its "
            "weights or adapter are damaged, or the precision is too low for it"
        )
    return probabilities
