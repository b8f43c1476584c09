import csv
from pathlib import Path

import pytest
import yaml

from mimic.questionnaire.instruments import load_instrument
from mimic.traits import TRAITS

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "config/instruments"
PUBLISHED_120 = PROJECT.parent / "shared/data/ipip_neo_120.csv"


def test_mini_ipip_has_four_items_a_trait_with_the_published_keys():
    instrument = load_instrument(FOLDER / "mini_ipip.yaml")
    counts = {
        trait: [item.keyed for item in instrument.items if item.trait == trait].count("plus")
        for trait in TRAITS
    }
    assert len(instrument.items) == 20
    # Donnellan et al. 2006, table 1: Intellect has one plus-keyed item, the others two.
    assert counts == {
        "openness": 1,
        "conscientiousness": 2,
        "extraversion": 2,
        "agreeableness": 2,
        "neuroticism": 2,
    }


@pytest.mark.skipif(not PUBLISHED_120.exists(), reason="no ../shared with the published items")
def test_ipip_neo_120_is_the_published_one():
    instrument = load_instrument(FOLDER / "ipip_neo_120.yaml")
    with PUBLISHED_120.open() as handle:
        published = list(csv.DictReader(handle))
    ours = [(item.text, item.trait, item.facet, item.keyed) for item in instrument.items]
    assert ours == [(r["text"], r["trait"], r["facet"], r["keyed"]) for r in published]


def test_items_read_as_sentences():
    instrument = load_instrument(FOLDER / "mini_ipip.yaml")
    assert instrument.items[0].statement() == "I am the life of the party."
    assert instrument.items[5].statement() == "I don't talk a lot."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["items"].append(dict(v["items"][0])), "id 'mini01' stands more than once"),
        (
            lambda v: v["items"].append({**v["items"][0], "id": "x"}),
            "text 'am the life of the party' stands more than once",
        ),
        (lambda v: v["items"][3].update(trait="honesty"), "items.3.trait = 'honesty'"),
        (lambda v: v["items"][3].pop("keyed"), "items.3.keyed"),
        (
            lambda v: v.update(items=[i for i in v["items"] if i["trait"] != "openness"]),
            "no item measures openness",
        ),
    ],
)
def test_a_wrong_instrument_is_refused(tmp_path, change, message):
    values = yaml.safe_load((FOLDER / "mini_ipip.yaml").read_text())
    change(values)
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ValueError, match="wrong.yaml") as caught:
        load_instrument(path)
    assert message in str(caught.value)
