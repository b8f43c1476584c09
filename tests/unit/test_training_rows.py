"""Training examples that are no good, named by row with how to mend them."""

import dataclasses

import pytest

from mimic.files import write_jsonl
from mimic.finetune.rows import Limits, read_rows

LIMITS = Limits(max_length=128, context=256, setting="dpo")


def conversation(text, *, essay="e1"):
    prompt = [{"role": "user", "content": "Write."}]
    return {"essay": essay, "prompt": prompt, "completion": [{"role": "a", "content": text}]}


def pair(chosen, rejected):
    prompt = [{"role": "user", "content": "Write."}]
    texts = {"chosen": chosen, "rejected": rejected}
    sides = {side: [{"role": "assistant", "content": text}] for side, text in texts.items()}
    return {"essay": "e1", "rejected_essay": "e2", "prompt": prompt} | sides


@pytest.fixture
def read(tmp_path, smollm2_tokenizer):
    def make(*rows, limits=LIMITS, **options):
        path = tmp_path / "train.jsonl"
        write_jsonl(path, rows)
        return read_rows(path, tokenizer=smollm2_tokenizer, limits=limits, **options)

    return make


def test_a_row_gets_the_length_that_it_is_trained_with(read, smollm2_tokenizer, capsys):
    short, long = read(pair("I went.", "I came home late."), pair("I went.", "home " * 200))
    text = smollm2_tokenizer.apply_chat_template(
        short["prompt"] + short["rejected"], tokenize=False
    )
    assert short["length"] == len(smollm2_tokenizer(text)["input_ids"])
    assert long["length"] == 128
    assert "train.jsonl: 1 of 2 are longer than 128 tokens and cut" in capsys.readouterr().out


def test_rows_that_are_not_used_are_not_looked_at(read):
    assert len(read(pair("One.", "Two."), pair("Same.", "Same."), first=1)) == 1


@pytest.mark.parametrize(
    ("rows", "limits", "message"),
    [
        (
            [pair("One.", "Two."), pair("The same.", "The same.")],
            {},
            r"train.jsonl, row 2: the chosen essay e1 and the rejected essay e2 are the same, so "
            r"there is nothing to prefer; remove one of them from the corpus$",
        ),
        (
            [pair("home " * 200 + "I came", "home " * 200 + "I went")],
            {},
            r"row 1: .* are the same in the 128 tokens that max_length leaves, .* or raise "
            r"dpo.max_length$",
        ),
        (
            [conversation("Short."), conversation("home " * 300, essay="e7")],
            {"max_length": 512},
            r"train.jsonl, row 2: essay e7 has 3\d\d tokens with its prompt, of which "
            r"dpo.max_length leaves 3\d\d, but the model's context is 256; set dpo.max_length to "
            r"256 or less",
        ),
        ([conversation("  ")], {}, r"train.jsonl, row 1: essay e1 is empty; remove it"),
        (
            [conversation("I went.")],
            {"max_length": 16},
            r"max_length is 16, but the longest prompt has \d+ tokens \(.*train.jsonl, row 1\); "
            r"set dpo.max_length to at least \d+",
        ),
        ([], {}, r"train.jsonl: no rows"),
    ],
)
def test_what_is_no_good_is_named(read, rows, limits, message):
    with pytest.raises(ValueError, match=message):
        read(*rows, limits=dataclasses.replace(LIMITS, **limits))


def test_a_long_essay_is_fine_where_it_is_cut_below_the_context(read):
    (row,) = read(conversation("home " * 300))
    assert row["length"] == 128
    (row,) = read(
        conversation("home " * 300),
        limits=dataclasses.replace(LIMITS, max_length=512, context=None),
    )
    assert 300 < row["length"] < 512
