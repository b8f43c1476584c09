"""Loading models and tokenizers that lack what others have."""

import importlib
import shutil

import numpy as np
import pytest
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from peft import PeftModel
from safetensors.torch import load_file, save_file

from mimic.compute import DATE, ComputeSettings, load_model, load_tokenizer, template_kind
from mimic.finetune.common import load_frozen
from mimic.finetune.settings import DpoSettings
from mimic.respondents.base import Prompt
from mimic.respondents.generation import GenerationRespondent, stop_tokens
from mimic.respondents.likelihood import OnePrompt, SharedPrefix, all_answers
from mimic.respondents.tree import Question


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


def test_in_four_bits_the_adapter_stays_beside_the_weights(tiny_model, tiny_adapter):
    compute = ComputeSettings(quantisation="nf4")
    tuned = load_model(tiny_model.parent, compute=compute, adapter=tiny_adapter.parent)
    # The same weights as numbers again, and the adapter merged into them.
    rounded = load_model(tiny_model.parent, compute=ComputeSettings())
    quantised = {name: m for name, m in tuned.named_modules() if isinstance(m, Linear4bit)}
    for name, module in quantised.items():
        layer = rounded.get_submodule(name.removesuffix(".base_layer"))
        layer.weight.data = dequantize_4bit(module.weight.data, module.weight.quant_state)
    assert len(quantised) == 2 * 7
    expected = PeftModel.from_pretrained(rounded, str(tiny_adapter.parent)).merge_and_unload()
    plain = load_model(tiny_model.parent, compute=ComputeSettings(), adapter=tiny_adapter.parent)
    ids = torch.tensor([[5, 6, 7, 8, 9, 10, 11, 12]])
    with torch.inference_mode():
        found, wanted, exact = (model(ids).logits for model in (tuned, expected, plain))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    assert (exact - wanted).abs().max() > 0.1


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_four_bits_are_nf4_double_quantised_in_training_and_use(tiny_model, precision):
    asked = ComputeSettings(quantisation="nf4", precision="float32")
    trained = DpoSettings(quantisation="nf4", precision=precision)
    for model, dtype in (
        (load_model(tiny_model.parent, compute=asked), torch.float32),
        (load_frozen(tiny_model.parent, trained), getattr(torch, precision)),
    ):
        layers = [layer for layer in model.modules() if isinstance(layer, Linear4bit)]
        assert len(layers) == 2 * 7
        for layer in layers:
            assert layer.weight.quant_state.quant_type == "nf4"
            assert layer.weight.quant_state.nested
            assert layer.compute_dtype == dtype


def test_in_four_bits_the_format_is_no_matter_of_the_cpu(tiny_model, monkeypatch):
    # As if on a CPU that has AVX512-BF16, where bitsandbytes would compute in bfloat16.
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: True)
    ids = torch.tensor([[5, 6, 7, 8, 9, 10, 11, 12]])
    with torch.inference_mode():
        found = load_model(tiny_model.parent, compute=ComputeSettings(quantisation="nf4"))(ids)
        monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: False)
        wanted = load_model(tiny_model.parent, compute=ComputeSettings(quantisation="nf4"))(ids)
    assert torch.equal(found.logits, wanted.logits)


def test_in_four_bits_both_engines_answer(tiny_model, tiny_adapter):
    compute = ComputeSettings(quantisation="nf4")
    model = load_model(tiny_model.parent, compute=compute, adapter=tiny_adapter.parent)
    options = (((40,),), ((41,), (42, 43)), ((44,),))
    questions = [Question(tuple(range(3, 25)), (7, 8), (30 + n,), options) for n in range(3)]
    alone = all_answers(OnePrompt(model), questions)
    together = all_answers(SharedPrefix(model, batch_tokens=64), questions)
    assert np.array(together) == pytest.approx(np.array(alone), rel=1e-4)


@pytest.mark.parametrize(
    ("step", "settings"),
    [
        *((f"finetune.{method}", {method: {}}) for method in ("sft", "dpo", "orpo")),
        ("writing.write", {"writing": {}}),
        ("questionnaire.ask", {"questionnaire": {}}),
        ("questionnaire.generate", {"questionnaire": {}}),
        ("forms.propose", {"proposals": {"model": "tiny"}}),
    ],
)
def test_without_a_gpu_none_is_stood_in_for(make_job, monkeypatch, step, settings):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    # Nothing of its inputs is looked at before.
    job = make_job(
        settings={"run": {"seed": 1}, "compute": {"device": "cuda"}, **settings}, inputs={}
    )
    with pytest.raises(ValueError) as caught:
        importlib.import_module(f"mimic.{step}").main(job)
    said = str(caught.value)
    assert "compute.device is cuda, but PyTorch finds no GPU on this machine" in said
    assert "allowed are cpu and cuda" in said and "set compute.device to cpu" in said


# As Llama 3.2's template begins.
DATED = (
    "{{- bos_token }}{%- if not date_string is defined %}{%- if strftime_now is defined %}"
    '{%- set date_string = strftime_now("%d %b %Y") %}{%- else %}'
    '{%- set date_string = "26 Jul 2024" %}{%- endif %}{%- endif %}'
    '{{- "Today Date: " + date_string + "\\n" }}'
    "{%- for message in messages %}{{- message.content + eos_token }}{%- endfor %}"
)


def test_a_chat_template_that_asks_for_the_date_is_told_the_same_every_day(
    smollm2_tokenizer, tmp_path
):
    smollm2_tokenizer.save_pretrained(tmp_path)
    asked = [{"role": "user", "content": "I hum."}]
    found = {}
    for name, template in {"dated": DATED, "own": smollm2_tokenizer.chat_template}.items():
        (tmp_path / "chat_template.jinja").write_text(template)
        tokenizer = load_tokenizer(tmp_path)
        found[name] = template_kind(tokenizer), tokenizer.apply_chat_template(asked, tokenize=False)
    expected = f"{tokenizer.bos_token}Today Date: {DATE}\nI hum.{tokenizer.eos_token}"
    assert found["dated"] == ("own, with a fixed date", expected)
    smollm2_tokenizer.chat_template, own = DATED, smollm2_tokenizer.chat_template
    try:
        assert smollm2_tokenizer.apply_chat_template(asked, tokenize=False) != expected
        smollm2_tokenizer.chat_template = own
        undated = smollm2_tokenizer.apply_chat_template(asked, tokenize=False)
    finally:
        smollm2_tokenizer.chat_template = own
    assert found["own"] == ("own", undated)


def test_in_sixteen_bits_an_adapter_isn_t_rounded_away(tiny_model, tiny_adapter, tmp_path):
    # What few steps of training add: less than a weight's last bit in bfloat16.
    weights = load_file(tiny_adapter.parent / "adapter_model.safetensors")
    small = {name: w * 1e-3 if "lora_B" in name else w for name, w in weights.items()}
    shutil.copytree(tiny_adapter.parent, tmp_path / "small")
    save_file(small, tmp_path / "small/adapter_model.safetensors")
    compute = ComputeSettings(precision="bfloat16")
    base = load_model(tiny_model.parent, compute=compute)
    model = load_model(tiny_model.parent, compute=compute, adapter=tmp_path / "small")
    for layer, former in zip(model.model.layers, base.model.layers, strict=True):
        module, weight = layer.self_attn.q_proj, former.self_attn.q_proj.weight
        assert torch.equal(module.base_layer.weight, weight)
        added = module.get_delta_weight("default")
        assert added.dtype == torch.float32
        # Merged, most of it would be lost.
        assert ((weight + added.to(weight.dtype)) == weight).float().mean() > 0.5
    name = "base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight"
    assert torch.equal(module.lora_B["default"].weight, small[name])
    questions = [Question(tuple(range(3, 25)), (7, 8), (30,), (((40,),), ((41,), (42, 43))))]
    alone = all_answers(OnePrompt(model), questions)
    together = all_answers(SharedPrefix(model, batch_tokens=64), questions)
    assert np.array(together) == pytest.approx(np.array(alone), rel=0.05)
