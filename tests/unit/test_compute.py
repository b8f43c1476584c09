"""Loading models and tokenizers that lack what others have."""

import pytest

from mimic.compute import ComputeSettings, load_model, load_tokenizer
from mimic.respondents.base import Prompt
from mimic.respondents.generation import GenerationRespondent, stop_tokens


@pytest.fixture
def saved(metaspace_tokenizer, tmp_path):
    def save(**changes):
        folder = tmp_path / "tokenizer"
        metaspace_tokenizer.save_pretrained(folder)
        tokenizer = type(metaspace_tokenizer).from_pretrained(folder)
        for name, value in changes.items():
            setattr(tokenizer, name, value)
        tokenizer.save_pretrained(folder)
        return folder

    return save


@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        ({"eos_token": None, "pad_token": "<unk>", "chat_template": None}, "chat template"),
        ({"eos_token": None, "pad_token": None, "chat_template": "x"}, "padding token"),
    ],
)
def test_a_tokenizer_without_any_end_is_refused(saved, changes, lacking):
    with pytest.raises(ValueError, match=f"neither an end-of-text token nor a {lacking}"):
        load_tokenizer(saved(**changes))


def test_a_model_without_template_bos_and_end_of_its_own_answers(saved, tiny_model):
    tokenizer = load_tokenizer(saved(chat_template=None))
    assert tokenizer.bos_token is None
    assert tokenizer.pad_token == tokenizer.eos_token == "</s>"
    model = load_model(tiny_model.parent, compute=ComputeSettings(threads=1))
    model.generation_config.eos_token_id = None
    assert stop_tokens(model, tokenizer) == (tokenizer.eos_token_id,)
    respondent = GenerationRespondent(model, tokenizer, batch_size=2, max_new_tokens=3)
    (answers,) = respondent.answers([Prompt("I hum.", "a"), Prompt("I nap.", "b")])
    assert set(answers) == {0, 1}


def test_an_adapter_that_does_not_fit_names_the_model_s_size(tiny_adapter, tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel

    # Its configuration calls the hidden size otherwise.
    folder = tmp_path / "gpt2"
    GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=30)).save_pretrained(
        folder
    )
    with pytest.raises(ValueError, match="doesn't fit the model in .*gpt2 .*hidden size 16"):
        load_model(folder, compute=ComputeSettings(threads=1), adapter=tiny_adapter.parent)
