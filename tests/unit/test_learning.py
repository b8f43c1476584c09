from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from peft import LoraConfig, get_peft_model
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mimic.finetune import learning
from mimic.finetune.learning import log_probabilities, loss_check, margin_check


def test_a_loss_that_falls_by_more_than_its_standard_error_passes():
    before = np.array([3.0, 3.2, 3.4])
    check = loss_check(before, before - np.array([0.1, 0.2, 0.3]))
    assert check.passed
    assert check.change == pytest.approx(-0.2)
    assert check.standard_error == pytest.approx(0.1 / np.sqrt(3))


def test_a_loss_that_falls_by_less_or_rises_fails():
    before = np.array([3.0, 3.2, 3.4])
    assert not loss_check(before, before - np.array([0.3, -0.2, 0.05])).passed
    assert not loss_check(before, before + 0.5).passed
    assert not loss_check(before[:1], before[:1] - 1).passed


def test_a_training_margin_must_rise_clearly_above_zero():
    zero = np.zeros(4)
    assert margin_check(zero, np.array([0.5, 0.4, 0.6, 0.5]), training=True).passed
    assert not margin_check(zero, np.array([0.5, -0.4, 0.6, -0.5]), training=True).passed
    # Rises, but not above 0.
    assert not margin_check(zero - 2, zero - 1, training=True).passed


def test_validation_margins_are_reported_only():
    check = margin_check(np.zeros(3), np.ones(3), training=False)
    assert check.passed is None
    assert not check.required


class Largest(TorchDispatchMode):
    """The number of elements of the largest tensor that an operation makes."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return made


def a_model(kind, vocabulary):
    """A tiny Llama, or a tiny Gemma 2, which caps its logits, with a LoRA adapter."""
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=vocabulary,
        # Narrow, so that the output layer itself is no larger than some rows of logits.
        hidden_size=16,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        initializer_range=0.3,
        **({"final_logit_softcapping": 5.0} if kind == "Gemma2" else {}),
    )
    model = getattr(transformers, f"{kind}ForCausalLM")(config)
    lora = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(model, lora)


@pytest.mark.parametrize("kind", ["Llama", "Gemma2"])
def test_figures_are_those_of_all_logits_and_never_hold_them(kind, smollm2_tokenizer, monkeypatch):
    monkeypatch.setattr(learning, "_ROWS", 16)
    vocabulary = len(smollm2_tokenizer)
    model = a_model(kind, vocabulary)
    trainer = SimpleNamespace(
        model=model,
        processing_class=smollm2_tokenizer,
        args=SimpleNamespace(device=torch.device("cpu")),
        accelerator=Accelerator(cpu=True),
    )
    prompt = [{"role": "user", "content": "Write."}]
    completion = [{"role": "assistant", "content": " ".join(map(str, range(40)))}]
    with Largest() as largest:
        found = log_probabilities(trainer, [(prompt, completion)], max_length=60)
    assert largest.elements <= 16 * vocabulary

    start, tokens = (
        smollm2_tokenizer.apply_chat_template(
            messages, add_generation_prompt=begun, return_dict=False
        )
        for messages, begun in ((prompt, True), ([*prompt, *completion], False))
    )
    ids = torch.tensor([tokens[:60]])
    # What was put in the decoder's place is gone again.
    logits = model.eval()(input_ids=ids).logits
    assert logits.shape == (1, 60, vocabulary)
    each = torch.log_softmax(logits[0, :-1], dim=-1)[range(59), ids[0, 1:]].detach()
    assert found.counts[0] == 60 - len(start)
    assert found.whole[0] == pytest.approx(float(each.mean()), rel=1e-6)
    assert found.sums[0] == pytest.approx(float(each[len(start) - 1 :].sum()), rel=1e-6)
