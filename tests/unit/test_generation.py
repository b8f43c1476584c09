"""A local model that answers in words."""

import re
from functools import partial

import pytest
import torch

from mimic.chat import encode, render
from mimic.compute import PLAIN_TEMPLATE, ComputeSettings, load_model, load_tokenizer
from mimic.forms.released import load_released
from mimic.questionnaire.in_words import prompts_of as prompts_asked
from mimic.questionnaire.instruments import load_instrument
from mimic.respondents.base import Prompt
from mimic.respondents.generation import GenerationRespondent, prompt_seed, stop_tokens
from mimic.traits import balanced_profiles


@pytest.fixture
def tiny(tiny_model):
    folder = tiny_model.parent
    return load_model(folder, compute=ComputeSettings(threads=1)), load_tokenizer(folder)


def prompts_of(tokenizer, count=7):
    """Prompts of different lengths, on both sides of a multiple of 32 tokens."""
    return [
        Prompt(render(tokenizer, " ".join(["I like order."] * (2 * n + 1))), name=f"number {n}")
        for n in range(count)
    ]


def answered(respondent, prompts):
    found = {}
    for batch in respondent.answers(prompts):
        assert 0 < len(batch) <= respondent.batch_size
        assert not set(batch) & set(found)
        found |= batch
    return [found[n] for n in range(len(prompts))]


def by_hand(model, tokenizer, prompt, length):
    """The greedy continuation of one prompt, a token at a time, without padding or cache."""
    tokens = encode(tokenizer, prompt.text)
    new = []
    for _ in range(length):
        with torch.inference_mode():
            token = int(model(torch.tensor([tokens + new])).logits[0, -1].argmax())
        if token == tokenizer.eos_token_id:
            break
        new.append(token)
    return tokenizer.decode(new, skip_special_tokens=True)


def test_greedy_answers_are_those_of_one_prompt_at_a_time(tiny):
    model, tokenizer = tiny
    prompts = prompts_of(tokenizer)
    lengths = [len(encode(tokenizer, prompt.text)) for prompt in prompts]
    assert len({(length + 31) // 32 for length in lengths}) > 1
    expected = [by_hand(model, tokenizer, prompt, 6) for prompt in prompts]
    respondent = GenerationRespondent(model, tokenizer, batch_size=3, max_new_tokens=6)
    assert answered(respondent, prompts) == expected
    assert len(set(expected)) > 1


def test_company_does_not_move_a_greedy_answer(tiny):
    model, tokenizer = tiny
    prompts = prompts_of(tokenizer)
    respondent = GenerationRespondent(model, tokenizer, batch_size=4, max_new_tokens=6)
    together = answered(respondent, prompts)
    assert answered(respondent, prompts[:2]) + answered(respondent, prompts[2:]) == together
    assert answered(respondent, prompts[::-1])[::-1] == together
    assert list(respondent.answers([])) == []


def test_the_model_s_own_generation_settings_do_not_count(tiny):
    model, tokenizer = tiny
    prompts = prompts_of(tokenizer, 3)
    expected = [by_hand(model, tokenizer, prompt, 8) for prompt in prompts]
    model.generation_config.repetition_penalty = 5.0
    model.generation_config.no_repeat_ngram_size = 1
    respondent = GenerationRespondent(model, tokenizer, batch_size=3, max_new_tokens=8)
    assert answered(respondent, prompts) == expected


def sampling(tiny, **options):
    model, tokenizer = tiny
    chosen = {"batch_size": 2, "max_new_tokens": 6, "temperature": 1.0, "seed": 1} | options
    return GenerationRespondent(model, tokenizer, **chosen)


def test_sampling_is_seeded_and_leaves_the_global_generator_alone(tiny):
    prompts = prompts_of(tiny[1], 4)
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    first = answered(sampling(tiny), prompts)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert answered(sampling(tiny), prompts) == first != answered(sampling(tiny, seed=2), prompts)
    expected = answered(sampling(tiny, temperature=0.0), prompts)
    assert expected != first
    # So few tokens are left to draw from that only the likeliest is.
    assert answered(sampling(tiny, top_p=1e-6), prompts) == expected


def test_company_does_not_move_a_sampled_answer(tiny):
    prompts = [Prompt(p.text, p.name, sample) for p in prompts_of(tiny[1]) for sample in range(3)]
    together = answered(sampling(tiny, batch_size=4), prompts)
    parts = sampling(tiny, batch_size=4)
    assert answered(parts, prompts[:8]) + answered(parts, prompts[8:]) == together
    assert answered(parts, prompts[::-1])[::-1] == together
    # Samples of one prompt differ.
    assert len(set(together[:3])) == 3


def test_what_is_sampled_has_the_model_s_probabilities(tiny):
    model, tokenizer = tiny
    (prompt,) = prompts_of(tokenizer, 1)
    with torch.inference_mode():
        ids = torch.tensor([encode(tokenizer, prompt.text)])
        expected = (model(ids).logits[0, -1].double() / 0.25).softmax(-1)
    count = 2000
    respondent = sampling(tiny, batch_size=500, max_new_tokens=1, temperature=0.25)
    drawn = answered(respondent, [Prompt(prompt.text, "x", sample) for sample in range(count)])
    for token in expected.topk(4).indices:
        share, p = drawn.count(tokenizer.decode([token])) / count, float(expected[token])
        assert p > 0.02
        assert abs(share - p) < 4 * (p * (1 - p) / count) ** 0.5


def test_prompt_seeds_differ_by_seed_text_and_sample():
    one = Prompt("a", "x")
    seeds = {prompt_seed(1, one), prompt_seed(2, one), prompt_seed(1, Prompt("b", "x"))}
    seeds.add(prompt_seed(1, Prompt("a", "x", sample=1)))
    assert len(seeds) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert prompt_seed(1, Prompt("a", "another name")) == prompt_seed(1, one)


def test_an_answer_ends_with_its_turn(tiny):
    model, tokenizer = tiny
    (prompt,) = prompts_of(tokenizer, 1)
    (long,) = answered(
        GenerationRespondent(model, tokenizer, batch_size=1, max_new_tokens=4), [prompt]
    )
    first = encode(tokenizer, long)[0]
    # What the model says first becomes its end of turn.
    model.generation_config.eos_token_id = [first, 0]
    respondent = GenerationRespondent(model, tokenizer, batch_size=1, max_new_tokens=4)
    generated = answered(respondent, [prompt])[0]
    assert long.startswith(generated) and len(generated) < len(long)
    assert len(encode(tokenizer, generated)) <= 1


def test_stop_tokens_hold_the_template_s_end_of_turn(tiny):
    model, tokenizer = tiny
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert stop_tokens(model, tokenizer) == (end,)
    # A model whose own end differs from that of its turns.
    model.generation_config.eos_token_id = 0
    tokenizer.eos_token = "<|endoftext|>"
    other = tokenizer.eos_token_id
    assert other != end
    assert set(stop_tokens(model, tokenizer)) == {0, other, end}
    model.generation_config.eos_token_id = None
    tokenizer.chat_template = PLAIN_TEMPLATE
    assert stop_tokens(model, tokenizer) == (other,)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_is_no_number_stops_and_names_the_prompt(tiny, project, value, temperature):
    model, tokenizer = tiny
    # The released forms' prompts end alike, so that their own words wouldn't tell them apart.
    asked = prompts_asked(
        partial(render, tokenizer),
        load_released(project / "config/forms/released.yaml"),
        profiles=balanced_profiles(4)[:1],
        items=load_instrument(project / "config/instruments/mini_ipip_10.yaml").items[:3],
        texts={},
    )[:3]

    def spoil(module, inputs, output):
        output = output.clone()
        output[1, -1, 7] = value
        return output

    model.lm_head.register_forward_hook(spoil)
    respondent = sampling(tiny, batch_size=3, temperature=temperature)
    expected = "no numbers for the prompt of item mini02 in format S1 for O+C+E-A-N+; its weights"
    with pytest.raises(ValueError, match=re.escape(expected)):
        list(respondent.answers([one.prompt for one in asked]))
