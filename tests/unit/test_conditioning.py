"""How prompts tell a target, and the tokens that can stand for it."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from mimic.chat import encode
from mimic.compute import load_tokenizer
from mimic.conditioning import described, persona
from mimic.target_tokens import add_embeddings, add_tokens
from mimic.traits import Profile

TARGET = Profile.parse("O+C-E+A-N-")


def test_a_prompt_tells_the_target_by_its_conditioning():
    assert persona(TARGET) == (
        "You are a person with high openness, low conscientiousness, high extraversion, "
        "low agreeableness, low neuroticism."
    )
    assert persona(TARGET, "token") == (
        "You are a person with <|O+|>, <|C-|>, <|E+|>, <|A-|>, <|N-|>."
    )
    assert persona(TARGET, "adapter") == persona(TARGET, "none") == "You are a person."
    assert described(TARGET, "none") == "a person"


def test_each_target_token_is_one_token_behind_those_of_the_model(tiny_model):
    plain = load_tokenizer(tiny_model.parent)
    tokenizer = load_tokenizer(tiny_model.parent, target_tokens=True)
    assert len(tokenizer) == len(plain) + 10
    ids = encode(tokenizer, persona(TARGET, "token"))
    assert [n - len(plain) for n in ids if n >= len(plain)] == [0, 3, 4, 7, 9]
    assert tokenizer.decode(ids) == persona(TARGET, "token")
    # What a model writes of them is left out of its texts.
    assert "<|" not in tokenizer.decode(ids, skip_special_tokens=True)
    assert encode(tokenizer, persona(TARGET)) == encode(plain, persona(TARGET))


@pytest.mark.parametrize(("tied", "rows"), [(True, 0), (False, 0), (False, 64)])
def test_a_token_begins_as_the_mean_of_its_words(tiny_model, tied, rows):
    tokenizer = load_tokenizer(tiny_model.parent, target_tokens=True)
    vocabulary = len(tokenizer) - 10 + rows
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        vocab_size=vocabulary,
        tie_word_embeddings=tied,
    )
    model = LlamaForCausalLM(config)
    before = model.get_input_embeddings().weight.detach().clone()
    ids = add_embeddings(model, tokenizer)
    weight = model.get_input_embeddings().weight
    # Rows that the model has to spare are taken first.
    assert len(weight) == max(len(tokenizer), vocabulary)
    own = encode(tokenizer, " low neuroticism")
    assert ids == list(range(len(tokenizer) - 10, len(tokenizer)))
    assert torch.allclose(weight[ids[-1]], before[own].mean(dim=0), atol=1e-6)
    assert torch.equal(weight[: ids[0]], before[: ids[0]])
    head = model.get_output_embeddings().weight
    assert (head is weight) == tied
    assert torch.allclose(head[ids[-1]], head[own].mean(dim=0), atol=1e-6)


def test_a_model_with_such_a_token_of_its_own_is_refused(tiny_model):
    tokenizer = load_tokenizer(tiny_model.parent)
    tokenizer.add_tokens(["<|E-|>"])
    with pytest.raises(ValueError, match="has a token <.E-.> of its own.*conditioning prompt"):
        add_tokens(tokenizer)
