"""A local model that answers in words."""

import re

import pytest
import torch

from mimic.chat import encode, render
from mimic.compute import PLAIN_TEMPLATE, ComputeSettings, load_model, load_tokenizer
from mimic.respondents.generation import GenerationRespondent, batch_seed, stop_tokens


@pytest.fixture
def tiny(tiny_model):
    folder = tiny_model.parent
    return load_model(folder, compute=ComputeSettings(threads=1)), load_tokenizer(folder)


def prompts_of(tokenizer, count=7):
    """Prompts of different lengths, on both sides of a multiple of 32 tokens."""
    return [render(tokenizer, " ".join(["I like order."] * (2 * n + 1))) for n in range(count)]


def answered(respondent, prompts):
    found = {}
    for batch in respondent.answers(prompts):
        assert 0 < len(batch) <= respondent.batch_size
        assert not set(batch) & set(found)
        found |= batch
    return [found[n] for n in range(len(prompts))]


def by_hand(model, tokenizer, prompt, length):
    """The greedy continuation of one prompt, a token at a time, without padding or cache."""
    tokens = encode(tokenizer, prompt)
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
    lengths = [len(encode(tokenizer, prompt)) for prompt in prompts]
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


def test_sampling_is_seeded_by_batch_and_leaves_the_global_generator_alone(tiny):
    model, tokenizer = tiny
    prompts = prompts_of(tokenizer, 4)

    def sampled(seed, **options):
        respondent = GenerationRespondent(
            model, tokenizer, batch_size=2, max_new_tokens=6, temperature=1.0, seed=seed, **options
        )
        return answered(respondent, prompts)

    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    first = sampled(1)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(4)
    assert sampled(1) == first != sampled(2)
    greedy = GenerationRespondent(model, tokenizer, batch_size=2, max_new_tokens=6)
    expected = answered(greedy, prompts)
    assert expected != first
    # So few tokens are left to draw from that only the likeliest is.
    assert sampled(1, top_p=1e-6) == expected


def test_batch_seeds_differ_by_seed_prompts_and_order():
    seeds = {batch_seed(1, ["a", "b"]), batch_seed(2, ["a", "b"]), batch_seed(1, ["b", "a"])}
    assert len(seeds) == 3
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert batch_seed(1, ["a", "b"]) == batch_seed(1, ("a", "b"))


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
def test_what_is_no_number_stops_and_names_the_prompt(tiny, value):
    model, tokenizer = tiny
    prompts = [render(tokenizer, f"Statement: {words}") for words in ("I hum.", "I nap.", "I jog.")]

    def spoil(module, inputs, output):
        output = output.clone()
        output[1, -1, 7] = value
        return output

    model.lm_head.register_forward_hook(spoil)
    respondent = GenerationRespondent(model, tokenizer, batch_size=3, max_new_tokens=2)
    with pytest.raises(ValueError, match=re.escape("Statement: I nap.")):
        list(respondent.answers(prompts))
