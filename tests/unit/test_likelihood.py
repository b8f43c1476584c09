import copy
import math

import numpy as np
import pytest
import torch

from mimic.compute import PLAIN_TEMPLATE, ComputeSettings, load_model, load_tokenizer
from mimic.conditioning import persona
from mimic.forms.authored import load_authored
from mimic.forms.draw import draw_forms
from mimic.questionnaire.ask import ask
from mimic.questionnaire.instruments import load_instrument
from mimic.questionnaire.subjects import Subject
from mimic.respondents.likelihood import OnePrompt, SharedPrefix, all_answers
from mimic.respondents.tree import Question
from mimic.traits import Profile


@pytest.fixture(scope="module")
def tiny(tiny_model):
    folder = tiny_model.parent
    model = load_model(folder, compute=ComputeSettings(threads=1))
    return model, load_tokenizer(folder)


def asked(tokenizer, project, profile="O+C-E+A-N+", formats=("digits", "letters", "phrases")):
    authored = load_authored(project / "config/forms/authored.yaml")
    instrument = load_instrument(project / "config/instruments/mini_ipip.yaml")
    originals = {i.text.lower(): {"variant": 0, "phrase": i.text} for i in instrument.items}
    target = Profile.parse(profile)
    return [
        ask(
            tokenizer,
            form=form,
            subject=Subject(profile, target, persona(target)),
            instrument=instrument,
            words={"fits": originals},
        )
        for form in draw_forms(authored, formats=formats, wordings=("fits",))
    ]


def plain(model, question):
    """Each option's log-probability from one plain forward pass of each whole sequence."""
    logs = []
    for variants in question.options:
        total = 0.0
        for tokens in variants:
            with torch.inference_mode():
                ids = torch.tensor([question.prompt + tokens])
                logits = model(ids, use_cache=False).logits[0].double()
            log = torch.log_softmax(logits[len(question.prompt) - 1 : -1], -1)
            total += math.exp(sum(float(log[i, t]) for i, t in enumerate(tokens)))
        logs.append(math.log(total))
    return logs


def agrees(model_folder, groups, adapter=None, attention="sdpa"):
    """Both engines against plain forward passes, to 1e-4 in log-probability."""
    compute = ComputeSettings(threads=1, attention=attention)
    reference = load_model(model_folder, compute=compute, adapter=adapter)
    shared = SharedPrefix(
        load_model(model_folder, compute=compute, adapter=adapter), batch_tokens=99
    )
    for questions in groups:
        expected = [plain(reference, question) for question in questions]
        for engine in (shared, OnePrompt(reference)):
            found = [[math.log(p) for p in answer] for answer in all_answers(engine, questions)]
            assert np.array(found) == pytest.approx(np.array(expected), abs=1e-4)


def test_engines_agree_with_plain_forward_passes(tiny_model, tiny, project):
    groups = [[one.question for one in group[:5]] for group in asked(tiny[1], project)]
    assert max(len(v) for g in groups for o in g[0].options for v in o) > 3  # several tokens
    agrees(tiny_model.parent, groups)


def test_engines_agree_without_chat_template_and_bos(metaspace_tokenizer, tiny_model, project):
    metaspace_tokenizer.chat_template = PLAIN_TEMPLATE
    formats = ("letters", "agreement")
    groups = asked(metaspace_tokenizer, project, formats=formats)
    assert "<" not in metaspace_tokenizer.decode(groups[0][0].question.prompt)
    agrees(tiny_model.parent, [[one.question for one in group[:3]] for group in groups[1:3]])


@pytest.mark.parametrize("family", ["gemma2", "gemma3", "qwen3", "gpt_neox", "gpt2"])
def test_engines_agree_on_other_families(family, tiny, project, tmp_path):
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = tiny[1]
    config = AutoConfig.for_model(
        "gemma3_text" if family == "gemma3" else family,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        **({} if family in ("gpt_neox", "gpt2") else {"num_key_value_heads": 2, "head_dim": 8}),
        vocab_size=len(tokenizer),
        initializer_range=0.3,
        max_position_embeddings=512,
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    group = asked(tokenizer, project, formats=("phrases",))[0]
    # Gemma 2 caps its scores, which sdpa can't.
    attention = "eager" if family == "gemma2" else "sdpa"
    agrees(tmp_path, [[one.question for one in group[:3]]], attention=attention)


def test_an_adapter_counts(tiny_model, tiny, project, tmp_path):
    from peft import LoraConfig, get_peft_model

    model = load_model(tiny_model.parent, compute=ComputeSettings(threads=1))
    torch.manual_seed(1)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5)
    tuned.save_pretrained(tmp_path)
    questions = [one.question for one in asked(tiny[1], project, formats=("digits",))[0][:4]]
    agrees(tiny_model.parent, [questions], adapter=tmp_path)
    # The adapter beside the weights instead of merged into them.
    beside = all_answers(SharedPrefix(tuned.eval(), batch_tokens=256), questions)
    merged = load_model(tiny_model.parent, compute=ComputeSettings(threads=1), adapter=tmp_path)
    assert np.array(beside) == pytest.approx(
        np.array(all_answers(OnePrompt(merged), questions)), rel=1e-4
    )
    base = all_answers(OnePrompt(tiny[0]), questions)
    assert np.abs(np.array(beside) - np.array(base)).max() > 1e-4


def test_an_answer_has_the_same_bytes_whatever_is_asked_with_it(tiny_model, tiny, project):
    model = load_model(tiny_model.parent, compute=ComputeSettings(threads=1))
    groups = asked(tiny[1], project, formats=("digits", "phrases"))
    questions = [one.question for one in groups[2]]
    together = all_answers(SharedPrefix(model, batch_tokens=4096), questions)
    parts = SharedPrefix(model, batch_tokens=200)
    all_answers(parts, [one.question for one in groups[0]])
    assert all_answers(parts, questions[3:11]) == together[3:11]
    assert all_answers(parts, questions[:3]) == together[:3]
    assert all_answers(parts, questions[::-1]) == together[::-1]
    assert [answer for q in questions for answer in all_answers(parts, [q])] == together


def test_options_that_begin_alike_are_read_as_wholes(tiny):
    model, tokenizer = tiny
    very = (
        tuple(tokenizer(" very accurate")["input_ids"]),
        tuple(tokenizer(" very inaccurate")["input_ids"]),
    )
    assert very[0][0] == very[1][0]
    question = Question(form=(5, 9), about=(6,), ending=(7, 8), options=((very[0],), (very[1],)))
    found = all_answers(SharedPrefix(copy.deepcopy(model), batch_tokens=64), [question])[0]
    assert [math.log(p) for p in found] == pytest.approx(plain(model, question), abs=1e-4)
    assert found[0] != found[1]


def test_segments_join_to_the_prompt_and_don_t_depend_on_other_targets(tiny, project):
    _, tokenizer = tiny
    (one, *_), (other, *_) = (
        asked(tokenizer, project, profile=profile, formats=("digits",))[0]
        for profile in ("O+C-E+A-N+", "O-C-E-A-N-")
    )
    assert one.question.form == other.question.form
    text = tokenizer.decode(one.question.prompt)
    assert "high openness, low conscientiousness" in text
    asked_last = "Statement: I am the life of the party.<|im_end|>\n<|im_start|>assistant\nAnswer: "
    assert text.endswith(asked_last)
    assert len(one.question.ending) < 25


def test_other_targets_are_not_answered_together(tiny):
    questions = [
        Question(form=(5,), about=(about,), ending=(7,), options=(((8,),), ((9,),)))
        for about in (5, 6)
    ]
    with pytest.raises(ValueError, match="share form and target"):
        all_answers(SharedPrefix(copy.deepcopy(tiny[0]), batch_tokens=64), questions)


@pytest.mark.parametrize("engine", [OnePrompt, lambda model: SharedPrefix(model, batch_tokens=64)])
def test_numbers_that_are_none_are_an_error(tiny_model, engine):
    model = load_model(tiny_model.parent, compute=ComputeSettings(threads=1))
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    question = Question((5,), (6,), (7,), (((8,),), ((9,),)), name="of item x in form y")
    with pytest.raises(ValueError, match="no numbers for the prompt of item x in form y"):
        all_answers(engine(model), [question])


def test_a_model_whose_attention_is_its_own_is_refused():
    from transformers import BloomConfig, BloomForCausalLM

    model = BloomForCausalLM(BloomConfig(hidden_size=16, n_layer=1, n_head=2, vocab_size=30))
    with pytest.raises(
        ValueError, match="BloomForCausalLM .* set questionnaire.engine to one_prompt"
    ):
        SharedPrefix(model, batch_tokens=64)


def test_a_sliding_window_that_hides_a_part_is_an_error(tmp_path):
    from transformers import Gemma2Config, Gemma2ForCausalLM

    config = Gemma2Config(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        vocab_size=30,
        sliding_window=16,
    )
    engine = SharedPrefix(Gemma2ForCausalLM(config).eval(), batch_tokens=64)
    question = Question(tuple(range(20)), (6,), (7,), (((8,),), ((9,),)))
    with pytest.raises(ValueError, match="model sees 16 back"):
        all_answers(engine, [question])


def test_a_tokenizer_without_chat_template_gets_the_plain_one(tiny_model, tmp_path):
    import shutil

    folder = shutil.copytree(tiny_model.parent, tmp_path / "plain")
    (folder / "chat_template.jinja").unlink()
    tokenizer = load_tokenizer(folder)
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Say."}], tokenize=False, add_generation_prompt=True
    )
    assert text == "<|im_start|>Say.\n\n"
    whole = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Say."}, {"role": "assistant", "content": "Yes."}],
        tokenize=False,
    )
    assert whole == text + "Yes.<|im_end|>"
