"""Answers a second, in one run on one machine: this project's engine against other ways to ask.

``python tests/bench/answers.py MODEL_FOLDER`` prints a table. MODEL_FOLDER is what the stage models
made, such as results/models/smollm2. With the package lm-eval installed its own requests are among
the ways. The items are those of the IPIP-NEO-120; each way is asked as many of them as it answers
in some tens of seconds.

Ways:

- shared_prefix: the engine of the studies, with context none and with an essay as the context;
- one_prompt: each prompt in a forward pass of its own, all options read from it;
- five requests: each option of each prompt in a forward pass of its own, as evaluation harnesses
  ask log-likelihoods, one at a time;
- lm-eval: `HFLM.loglikelihood` of lm-eval on the same requests, for each of several batch sizes;
- released: the reference study's way, 200 greedy tokens for each item with an essay as the context.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from mimic.chat import render
from mimic.compute import ComputeSettings, load_model, load_tokenizer, prepare_torch
from mimic.conditioning import described, persona
from mimic.forms.authored import load_authored
from mimic.forms.draw import draw_forms
from mimic.forms.released import load_released
from mimic.questionnaire.ask import ask
from mimic.questionnaire.instruments import load_instrument
from mimic.questionnaire.subjects import Subject
from mimic.respondents.base import Prompt
from mimic.respondents.generation import GenerationRespondent
from mimic.respondents.likelihood import OnePrompt, SharedPrefix, all_answers
from mimic.respondents.tree import Question
from mimic.traits import Profile, balanced_profiles

PROJECT = Path(__file__).resolve().parents[2]


class Rate(NamedTuple):
    """How fast a way answers."""

    way: str
    answers: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


def main() -> None:
    """Measure all ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, metavar="MODEL_FOLDER")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--format", default="letters", help="answer format (letters)")
    parser.add_argument("--released-items", type=int, default=2, help="items answered in words")
    parser.add_argument(
        "--lm-eval-batches", type=int, nargs="*", default=[1, 8, 32], help="its batch sizes"
    )
    arguments = parser.parse_args()
    compute = ComputeSettings(threads=arguments.threads)
    prepare_torch(compute, seed=0)
    tokenizer = load_tokenizer(arguments.model)
    essay = pd.read_csv(PROJECT / "workflow/resources/composed_essays.csv")["TEXT"][0]
    plain = questions(tokenizer, arguments.format, "")
    with_essay = questions(tokenizer, arguments.format, f"\nYou wrote: {essay}")

    def model() -> Any:
        return load_model(arguments.model, compute=compute)

    engine, one = SharedPrefix(model(), batch_tokens=512), OnePrompt(model())
    all_answers(engine, plain[0][:3])
    all_answers(one, plain[0][:1])
    rates = [
        timed("shared_prefix", plain, lambda some: all_answers(engine, some)),
        timed("shared_prefix, with an essay", with_essay, lambda some: all_answers(engine, some)),
        timed("one_prompt", [plain[0][:40]], lambda some: all_answers(one, some)),
        timed(
            "one_prompt, with an essay", [with_essay[0][:10]], lambda some: all_answers(one, some)
        ),
        timed("five requests", [plain[0][:10]], lambda some: five_requests(one.model, some)),
        *lm_eval_rates(one.model, tokenizer, plain[0], arguments.lm_eval_batches),
        released_rate(one.model, tokenizer, essay, items=arguments.released_items),
    ]
    show(rates, threads=arguments.threads, model=arguments.model.name)


def questions(tokenizer: Any, format_name: str, text: str) -> list[list[Question]]:
    """The 120 items for two targets, in one form."""
    authored = load_authored(PROJECT / "config/forms/authored.yaml")
    instrument = load_instrument(PROJECT / "config/instruments/ipip_neo_120.yaml")
    (form, _) = draw_forms(authored, formats=(format_name,), wordings=("describes",))
    words = {
        "describes": {i.text.lower(): {"variant": 0, "phrase": i.text} for i in instrument.items}
    }
    return [
        [
            asked.question
            for asked in ask(
                tokenizer,
                form=form,
                subject=Subject(str(profile), profile, persona(profile) + text),
                instrument=instrument,
                words=words,
            )
        ]
        for profile in balanced_profiles(16)[:2]
    ]


def timed(
    way: str,
    groups: Sequence[Sequence[Question]],
    answer: Callable[[Sequence[Question]], object],
) -> Rate:
    """The rate of a way over groups of questions."""
    start = time.perf_counter()
    for group in groups:
        answer(group)
    return Rate(way, sum(map(len, groups)), time.perf_counter() - start)


def five_requests(model: Any, some: Sequence[Question]) -> list[list[float]]:
    """Each option's log-probability from a forward pass of its own."""
    found = []
    for question in some:
        logs = []
        for variants in question.options:
            ids = torch.tensor([question.prompt + variants[0]])
            with torch.inference_mode():
                logits = model(ids, use_cache=False).logits[0].log_softmax(-1)
            first = len(question.prompt) - 1
            logs.append(sum(float(logits[first + i, t]) for i, t in enumerate(variants[0])))
        found.append(logs)
    return found


def lm_eval_rates(
    model: Any, tokenizer: Any, some: Sequence[Question], batches: Sequence[int]
) -> Iterator[Rate]:
    """lm-eval's own log-likelihood requests; nothing where it isn't installed."""
    try:
        from lm_eval.api.instance import Instance
        from lm_eval.models.huggingface import HFLM
    except ImportError:
        print("lm-eval isn't installed; its ways are left out")
        return
    for batch in batches:
        lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch)
        asked = some[: max(4, min(batch, 16))]
        requests = [
            Instance(
                request_type="loglikelihood",
                doc={},
                arguments=(tokenizer.decode(q.prompt), tokenizer.decode(variants[0])),
                idx=0,
            )
            for q in asked
            for variants in q.options
        ]
        start = time.perf_counter()
        lm.loglikelihood(requests, disable_tqdm=True)
        yield Rate(f"lm-eval, batch {batch}", len(asked), time.perf_counter() - start)


def released_rate(model: Any, tokenizer: Any, essay: str, *, items: int) -> Rate:
    """200 greedy tokens for each item, one at a time, with an essay as the context."""
    form = load_released(PROJECT / "config/forms/released.yaml").by_name()["S3"]
    instrument = load_instrument(PROJECT / "config/instruments/ipip_neo_120.yaml")
    target = described(Profile((True, False, True, False, True)))
    prompts = [
        Prompt(
            render(tokenizer, form.filled(target=target, text=essay, item=item.statement())),
            name=f"of item {item.id}",
        )
        for item in instrument.items[:items]
    ]
    respondent = GenerationRespondent(model, tokenizer, batch_size=1, max_new_tokens=200)
    start = time.perf_counter()
    for prompt in prompts:
        list(itertools.chain(respondent.answers([prompt])))
    return Rate("released, one at a time", len(prompts), time.perf_counter() - start)


def show(rates: Sequence[Rate], *, threads: int, model: str) -> None:
    """Print the rates and how many times the engine's each is."""
    best = rates[0].per_second
    with_essay = rates[1].per_second
    print(f"{model}, {threads} threads, torch {torch.__version__}")
    print(f"{'way':32}{'answers':>8}{'s':>9}{'answers/s':>11}{'engine is':>11}")
    for rate in rates:
        # An essay in the prompt is compared with the engine on the same prompt.
        engine = with_essay if "essay" in rate.way or "released" in rate.way else best
        ratio = f"{engine / rate.per_second:.1f} x"
        print(f"{rate.way:32}{rate.answers:8}{rate.seconds:9.1f}{rate.per_second:11.2f}{ratio:>11}")


if __name__ == "__main__":
    main()
