import math

import pytest
import torch

from mimic.compute import ComputeSettings, load_model, load_tokenizer
from mimic.forms.authored import draw_forms, load_authored
from mimic.questionnaire.ask import ask
from mimic.questionnaire.instruments import load_instrument
from mimic.questionnaire.prompts import describe
from mimic.respondents.likelihood import LikelihoodRespondent, Question
from mimic.traits import Profile


@pytest.fixture(scope="module")
def tiny(tiny_model):
    folder = tiny_model.parent
    model = load_model(folder, compute=ComputeSettings(threads=1))
    return model, load_tokenizer(folder)


def asked(tokenizer, project, profile="O+C-E+A-N+", formats=("digits", "letters", "phrases")):
    authored = load_authored(project / "config/forms/authored.yaml")
    instrument = load_instrument(project / "config/instruments/mini_ipip.yaml")
    target = Profile.parse(profile)
    return [
        ask(
            tokenizer,
            form=form,
            profile=target,
            about=describe(target, None),
            instrument=instrument,
        )
        for form in draw_forms(authored, formats=formats, wordings=1, seed=1)
    ]


def plain(model, question):
    """Each option's probability from one forward pass of the whole sequence, without a cache."""
    prompt = question.form + question.about + question.ending
    probabilities = []
    for variants in question.options:
        total = 0.0
        for tokens in variants:
            with torch.inference_mode():
                logits = model(torch.tensor([prompt + tokens])).logits[0].double()
            log = torch.log_softmax(logits[len(prompt) - 1 : -1], -1)
            total += math.exp(sum(float(log[i, t]) for i, t in enumerate(tokens)))
        probabilities.append(total)
    return probabilities


def test_agrees_with_a_plain_forward_for_single_and_several_tokens(tiny, project):
    model, tokenizer = tiny
    respondent = LikelihoodRespondent(model, batch_size=7)
    for group in asked(tokenizer, project):
        questions = [one.question for one in group[:5]]
        for question, answer in zip(questions, respondent.answer(questions), strict=True):
            expected = plain(model, question)
            assert [math.log(p) for p in answer] == pytest.approx(
                [math.log(p) for p in expected], abs=1e-4
            )


def test_an_answer_has_the_same_bytes_whatever_is_asked_with_it(tiny, project):
    model, tokenizer = tiny
    first, second = asked(tokenizer, project, formats=("digits",))
    questions = [one.question for one in first]
    together = LikelihoodRespondent(model, batch_size=20).answer(questions)
    other = LikelihoodRespondent(model, batch_size=20)
    other.answer([one.question for one in second])
    again = other.answer(questions)
    assert together == again


def test_segments_join_to_the_prompt_and_don_t_depend_on_other_targets(tiny, project):
    _, tokenizer = tiny
    (one, *_), (other, *_) = (
        asked(tokenizer, project, profile=profile, formats=("digits",))[0]
        for profile in ("O+C-E+A-N+", "O-C-E-A-N-")
    )
    assert one.question.form == other.question.form
    text = tokenizer.decode(one.question.form + one.question.about + one.question.ending)
    assert "high openness, low conscientiousness" in text
    asked_last = "Statement: I am the life of the party.<|im_end|>\n<|im_start|>assistant\nAnswer: "
    assert text.endswith(asked_last)
    assert len(one.question.ending) < 25


def test_other_targets_are_not_answered_together(tiny):
    model, _ = tiny
    questions = [
        Question(form=(5,), about=(about,), ending=(7,), options=(((8,),), ((9,),)))
        for about in (5, 6)
    ]
    with pytest.raises(ValueError, match="share form and target"):
        LikelihoodRespondent(model, batch_size=2).answer(questions)


def test_numbers_that_are_none_are_an_error(tiny_model):
    model = load_model(tiny_model.parent, compute=ComputeSettings(threads=1))
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    question = Question(form=(5,), about=(6,), ending=(7,), options=(((8,),), ((9,),)))
    with pytest.raises(ValueError, match=r"no numbers for the prompt ending \(7,\)"):
        LikelihoodRespondent(model, batch_size=2).answer([question])


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
