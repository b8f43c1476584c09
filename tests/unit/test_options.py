"""The tokens of options where a prompt ends, for tokenizers that mark the beginning of words."""

import dataclasses

import pytest

from mimic.chat import encode, render
from mimic.compute import PLAIN_TEMPLATE
from mimic.conditioning import persona
from mimic.forms.authored import load_authored
from mimic.forms.draw import draw_forms
from mimic.forms.reading import read_phrases
from mimic.questionnaire.ask import ask
from mimic.questionnaire.instruments import load_instrument, sentence
from mimic.questionnaire.options import continued
from mimic.questionnaire.prompts import request
from mimic.questionnaire.subjects import Subject
from mimic.traits import Profile

TARGET = Profile.parse("O+C-E+A-N+")
INSTRUCTED = "{% for m in messages %}</s>[INST] {{ m['content'] }} [/INST] {% endfor %}"
ENDING_ALIKE = "{% for m in messages %}{{ m['content'] }}</s>[INST] {% endfor %}"


@pytest.fixture
def tokenizer(metaspace_tokenizer):
    metaspace_tokenizer.chat_template = PLAIN_TEMPLATE
    return metaspace_tokenizer


def asked_of(tokenizer, project, form):
    instrument = load_instrument(project / "config/instruments/mini_ipip_10.yaml")
    words = {i.text.lower(): {"variant": 0, "phrase": i.text} for i in instrument.items}
    subject = Subject("x", TARGET, persona(TARGET))
    return ask(
        tokenizer, form=form, subject=subject, instrument=instrument, words={form.wording: words}
    )


def form_of(project, name):
    authored = load_authored(project / "config/forms/authored.yaml")
    return draw_forms(authored, formats=(name,), wordings=("fits",))[0]


@pytest.mark.parametrize("template", [PLAIN_TEMPLATE, INSTRUCTED, ENDING_ALIKE])
@pytest.mark.parametrize("name", ["letters", "phrases", "agreement"])
def test_prompt_and_option_are_the_tokens_of_both_together(tokenizer, project, template, name):
    tokenizer.chat_template = template
    form = form_of(project, name)
    for one in asked_of(tokenizer, project, form):
        statement = sentence(one.item.text)
        prompt = render(tokenizer, request(form, about=persona(TARGET), statement=statement))
        for answer, variants in zip(form.answers, one.question.options, strict=True):
            space = "" if name == "letters" else " "
            texts = {
                prompt + form.lead + space + a for a in (answer, answer[0].upper() + answer[1:])
            }
            wholes = {tuple(encode(tokenizer, text)) for text in texts}
            assert {one.question.prompt + tokens for tokens in variants} == wholes


def test_a_letter_after_a_bracket_has_no_mark_of_a_word(tokenizer, project):
    one, *_ = asked_of(tokenizer, project, form_of(project, "letters"))
    letters = [
        tokenizer.convert_ids_to_tokens(list(tokens)) for ((tokens),) in one.question.options
    ]
    assert letters == [["E"], ["D"], ["C"], ["B"], ["A"]]
    # By itself it has one.
    assert tokenizer.tokenize("A") != ["A"]


def test_a_space_that_belongs_to_the_answer_is_taken_from_the_prompt(tokenizer, project):
    # In the model's tokens the space before a word belongs to it.
    form = form_of(project, "agreement")
    spaced = dataclasses.replace(form, lead="Answer: ")
    for one, other in zip(
        asked_of(tokenizer, project, form), asked_of(tokenizer, project, spaced), strict=True
    ):
        assert one.question == other.question


def test_an_option_that_merges_with_the_prompt_is_refused(tokenizer):
    prompt = "Answ"
    with pytest.raises(ValueError, match="^form x: .* the option 'er' merges with the end of the"):
        continued(
            tokenizer,
            [prompt],
            [tuple(encode(tokenizer, prompt))],
            texts=["er"],
            where="form x",
            mend="use another format",
        )


def test_one_encoding_serves_prompts_that_end_alike(smollm2_tokenizer, monkeypatch):
    import mimic.questionnaire.options as options

    prompts = [render(smollm2_tokenizer, words) + "Answer: (" for words in ("One.", "Two.", "No")]
    encoded = [tuple(encode(smollm2_tokenizer, prompt)) for prompt in prompts]
    calls = []
    real = options.encode_all
    monkeypatch.setattr(
        options, "encode_all", lambda t, texts: calls.append(texts) or real(t, texts)
    )
    found = continued(smollm2_tokenizer, prompts, encoded, texts="AB", where="x", mend="y")
    assert calls == [[prompts[0] + "A", prompts[0] + "B"]]
    assert found == [tuple((encode(smollm2_tokenizer, letter)[0],) for letter in "AB")] * 3


def test_the_second_reading_asks_for_letters_as_they_stand(tokenizer):
    class Reader:
        def __init__(self):
            self.questions = []

        def answer(self, questions):
            self.questions += questions
            yield {n: [1.0] * len(one.options) for n, one in enumerate(questions)}

    reader = Reader()
    list(read_phrases(reader, tokenizer, {"Fret a lot": ["neuroticism"]}))
    assert len(reader.questions) == 7
    for question in reader.questions:
        letters = tokenizer.convert_ids_to_tokens([tokens[0] for ((tokens),) in question.options])
        assert letters == list("ABCDE")[: len(letters)]
