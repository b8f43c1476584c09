import csv
from collections import Counter
from pathlib import Path

import pytest
import yaml

from mimic.questionnaire.instruments import (
    content_digest,
    cuts,
    item_clusters,
    load_instrument,
)
from mimic.traits import TRAITS

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "config/instruments"
PUBLISHED_120 = PROJECT.parent / "shared/data/ipip_neo_120.csv"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name):
    return load_instrument(FOLDER / f"{name}.yaml")


def values_of(name):
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def written(folder, values, *, digest=True):
    """The values as a file, with the digest that fits them unless told otherwise."""
    if digest:
        values = {**values, "digest": content_digest(values)}
    path = folder / "wrong.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


# Plus-keyed and minus-keyed items of each trait, in the order of TRAITS. Mini-IPIP: Donnellan et
# al. 2006, table 1. Factor markers: key of the item pool (10-item scales), Emotional Stability
# turned. IPIP-NEO-120: 55 reverse-scored items in all.
@pytest.mark.parametrize(
    ("name", "plus", "minus"),
    [
        ("mini_ipip", (1, 2, 2, 2, 2), (3, 2, 2, 2, 2)),
        ("mini_ipip_10", (1, 1, 1, 1, 1), (1, 1, 1, 1, 1)),
        ("ipip_bffm_50", (7, 6, 5, 6, 8), (3, 4, 5, 4, 2)),
        ("ipip_neo_120", (12, 11, 18, 7, 17), (12, 13, 6, 17, 7)),
    ],
)
def test_each_trait_has_the_published_number_of_keyed_items(name, plus, minus):
    counts = Counter((item.trait, item.keyed) for item in load(name).items)
    assert tuple(counts[trait, "plus"] for trait in TRAITS) == plus
    assert tuple(counts[trait, "minus"] for trait in TRAITS) == minus


def test_ipip_neo_120_has_four_items_in_each_of_thirty_facets():
    facets = Counter(item.facet for item in load("ipip_neo_120").items)
    assert set(facets.values()) == {4}
    assert sorted(facets) == [f"{letter}{n}" for letter in "ACENO" for n in range(1, 7)]
    assert all(item.facet[0] == item.trait[0].upper() for item in load("ipip_neo_120").items)


@pytest.mark.skipif(not PUBLISHED_120.exists(), reason="no ../shared with the published items")
def test_ipip_neo_120_is_the_published_one():
    with PUBLISHED_120.open() as handle:
        published = list(csv.DictReader(handle))
    ours = [(i.text, i.trait, i.facet, i.keyed) for i in load("ipip_neo_120").items]
    assert ours == [(r["text"], r["trait"], r["facet"], r["keyed"]) for r in published]


def test_factor_markers_are_in_the_published_order():
    items = load("ipip_bffm_50").items
    # The sample questionnaire goes round the five scales.
    turn = ["extraversion", "agreeableness", "conscientiousness", "neuroticism", "openness"]
    assert [item.trait for item in items] == turn * 10
    # Numbers in the key of the sample questionnaire; its 4, 9 and 19 are Emotional Stability
    # minus, plus and plus.
    picked = {n: (items[n - 1].text, items[n - 1].keyed) for n in (2, 4, 9, 19, 38, 50)}
    assert picked == {
        2: ("Feel little concern for others", "minus"),
        4: ("Get stressed out easily", "plus"),
        9: ("Am relaxed most of the time", "minus"),
        19: ("Seldom feel blue", "minus"),
        38: ("Shirk my duties", "minus"),
        50: ("Am full of ideas", "plus"),
    }


def test_mini_ipip_stands_in_the_factor_markers_and_partly_in_the_long_form():
    mini = load("mini_ipip").items
    markers = {item.text: item for item in load("ipip_bffm_50").items}
    long = {item.text: item for item in load("ipip_neo_120").items}
    assert all((i.trait, i.keyed) == (markers[i.text].trait, markers[i.text].keyed) for i in mini)
    assert sorted(item.text for item in mini if item.text in long) == [
        "Am not interested in other people's problems",
        "Feel others' emotions",
        "Have a vivid imagination",
        "Have difficulty understanding abstract ideas",
        "Often forget to put things back in their proper place",
        "Talk to a lot of different people at parties",
    ]
    # Agreeableness in the markers, a facet of openness in the long form.
    assert markers["Feel others' emotions"].trait == "agreeableness"
    assert long["Feel others' emotions"].trait == "openness"


def test_the_short_mini_ipip_is_a_part_of_the_whole():
    assert load("mini_ipip_10").items == load("mini_ipip").items[:10]


def test_items_read_as_sentences():
    instrument = load("mini_ipip")
    assert instrument.items[0].statement() == "I am the life of the party."
    assert instrument.items[5].statement() == "I don't talk a lot."


def test_clusters_hold_same_texts_rewordings_and_opposites():
    clusters = item_clusters({name: load(name) for name in NAMES})
    texts = {name: {one.item.text for one in members} for name, members in clusters.items()}
    assert texts["life_of_the_party"] == {"Am the life of the party"}
    assert {one.instrument for one in clusters["life_of_the_party"]} == {
        "ipip_bffm_50",
        "mini_ipip",
        "mini_ipip_10",
    }
    assert texts["irritation"] == {"Get irritated easily", "Am not easily annoyed"}
    assert texts["time_for_others"] == {"Take no time for others", "Take time out for others"}
    assert texts["tidiness"] >= {"Like to tidy up", "Leave a mess in my room"}
    assert list(clusters) == sorted(clusters)
    assert sum(len(members) for members in clusters.values()) == 120 + 50 + 20 + 10


def test_clusters_are_narrow_enough_to_split():
    clusters = item_clusters({name: load(name) for name in NAMES})
    widest = {len({one.item.text for one in members}) for members in clusters.values()}
    assert max(widest) <= 4
    for trait in TRAITS:
        mine = {item.cluster for item in load("ipip_neo_120").items if item.trait == trait}
        assert len(mine) >= 12


def test_only_two_clusters_cross_traits():
    clusters = item_clusters({name: load(name) for name in NAMES})
    crossing = {
        name: {one.item.trait for one in members}
        for name, members in clusters.items()
        if len({one.item.trait for one in members}) > 1
    }
    assert crossing == {
        "others_feelings": {"openness", "agreeableness"},
        "attention_on_oneself": {"extraversion", "neuroticism"},
    }


def test_the_same_text_in_two_clusters_is_refused(tmp_path):
    values = values_of("ipip_bffm_50")
    values["items"][13].update(text="WORRY about things", cluster="brooding")
    moved = load_instrument(written(tmp_path, values))
    with pytest.raises(ValueError, match="one cluster in all instruments") as caught:
        item_clusters({"ipip_neo_120": load("ipip_neo_120"), "moved": moved})
    for part in ("'worry' in ipip_neo_120 (neo001)", "'brooding' in moved (bffm14)"):
        assert part in str(caught.value)


def test_norms_are_the_published_trait_scores_divided_by_the_items_of_a_facet():
    norms = load("ipip_neo_120").norms
    # Kajonius and Johnson 2019, table A1: mean and standard deviation, 4 to 20.
    published = {
        "openness": (13.71, 2.06),
        "conscientiousness": (14.95, 2.34),
        "extraversion": (13.69, 2.36),
        "agreeableness": (14.87, 2.01),
        "neuroticism": (11.10, 2.66),
    }
    for trait, (mean, sd) in published.items():
        assert norms.traits[trait].mean == pytest.approx(mean / 4)
        assert norms.traits[trait].sd == pytest.approx(sd / 4)
    # The same table's six facets of neuroticism and of agreeableness average to the traits.
    for trait, facets in {
        "neuroticism": (12.07, 11.51, 9.35, 11.69, 11.94, 10.07),
        "agreeableness": (13.43, 16.63, 16.72, 15.10, 12.34, 15.03),
    }.items():
        assert norms.traits[trait].mean == pytest.approx(sum(facets) / 24, abs=0.005)


def test_cuts_by_norms_and_by_number(tmp_path):
    instrument = load("ipip_neo_120")
    assert cuts(instrument, 3.0) == dict.fromkeys(TRAITS, 3.0)
    assert list(cuts(instrument, "norms")) == list(TRAITS)
    assert cuts(instrument, "norms")["neuroticism"] == 2.775
    values = values_of("ipip_neo_120")
    values["norms"]["traits"]["neuroticism"]["median"] = 2.75
    with_median = load_instrument(written(tmp_path, values))
    assert cuts(with_median, "norms")["neuroticism"] == 2.75


def test_norms_of_the_mini_ipip_are_those_of_its_items_among_the_markers():
    # Both are of the same people; a scale of four of ten items comes near to the scale of ten.
    markers, mini = (load(name).norms for name in ("ipip_bffm_50", "mini_ipip"))
    assert markers is not None
    assert mini is not None
    assert markers.n == mini.n == 603322
    for trait in TRAITS:
        four, ten = mini.traits[trait], markers.traits[trait]
        assert abs(four.mean - ten.mean) < 0.2
        # Fewer items of the same kind spread more.
        assert ten.sd < four.sd < 1.3 * ten.sd
    # Emotional stability, 3.0646 and 2.9187 there, is turned.
    assert (mini.traits["neuroticism"].mean, markers.traits["neuroticism"].mean) == (2.9354, 3.0813)


def test_wrong_cuts_are_refused():
    with pytest.raises(ValueError, match="has no norms to cut at; take the number 3.0"):
        cuts(load("mini_ipip_10"), "norms")
    with pytest.raises(ValueError, match="'median' is no cut; allowed are 'norms' and a number"):
        cuts(load("ipip_neo_120"), "median")
    with pytest.raises(ValueError, match="cut 72.0 is outside of the scale"):
        cuts(load("ipip_neo_120"), 72.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["items"].append(dict(v["items"][0])), "id 'neo001' stands more than once"),
        (
            lambda v: v["items"].append({**v["items"][0], "id": "x", "text": "worry About things"}),
            "text 'worry about things' stands more than once",
        ),
        (lambda v: v["items"][3].update(trait="honesty"), "items.3.trait = 'honesty'"),
        (lambda v: v["items"][3].update(trait="honesty"), "items.3 is 'neo004', 'Trust others'"),
        (lambda v: v["items"][3].pop("keyed"), "items.3.keyed"),
        (lambda v: v["items"][3].pop("keyed"), "items.3 is 'neo004', 'Trust others'"),
        (lambda v: v["items"][3].update(keyed="both"), "items.3.keyed = 'both'"),
        (lambda v: v["items"][3].pop("cluster"), "items.3.cluster"),
        (lambda v: v["items"][3].update(cluster="Trust"), "items.3.cluster = 'Trust'"),
        (lambda v: v["items"][3].update(key="plus"), "did you mean 'keyed'?"),
        (lambda v: v["items"].insert(0, "Trust others"), "items.0"),
        (lambda v: v.update(items=None), "items"),
        (
            lambda v: v.update(items=[i for i in v["items"] if i["trait"] != "openness"]),
            "no item measures openness",
        ),
        (lambda v: v["scale"].pop(), "scale"),
        (
            lambda v: v["scale"].__setitem__(4, "very inaccurate"),
            "label 'very inaccurate' stands more than once",
        ),
        (
            lambda v: v["norms"]["traits"].update(honesty={"mean": 3, "sd": 1, "median": None}),
            "norms of the unknown trait 'honesty'; the traits are openness",
        ),
        (lambda v: v["norms"]["traits"].pop("openness"), "no norms of openness"),
        (
            lambda v: v["norms"]["traits"]["openness"].update(mean=82.26),
            "norms.traits.openness.mean = 82.26",
        ),
        (lambda v: v["norms"].pop("source"), "norms.source"),
    ],
)
def test_a_wrong_instrument_is_refused(tmp_path, change, message):
    values = values_of("ipip_neo_120")
    change(values)
    with pytest.raises(ValueError, match=r"wrong\.yaml") as caught:
        load_instrument(written(tmp_path, values))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.update(version=v["version"] + 1),
        lambda v: v["items"][3].update(keyed="minus"),
        lambda v: v["items"][3].update(cluster="distrust"),
        lambda v: v["items"].reverse(),
        lambda v: v["norms"]["traits"]["openness"].update(mean=3.0),
    ],
)
def test_content_that_doesn_t_fit_the_digest_is_refused(tmp_path, change):
    values = values_of("ipip_neo_120")
    before = values["digest"]
    change(values)
    computed = content_digest(values)
    with pytest.raises(ValueError, match=r"wrong\.yaml: digest is") as caught:
        load_instrument(written(tmp_path, values, digest=False))
    for part in (repr(before), repr(computed), "Raise version"):
        assert part in str(caught.value)
    values["digest"] = computed
    assert load_instrument(written(tmp_path, values, digest=False)).digest == computed


def test_layout_of_the_file_leaves_the_digest_alone(tmp_path):
    values = values_of("mini_ipip")
    assert load_instrument(written(tmp_path, values, digest=False)) == load("mini_ipip")


def test_a_file_that_is_no_yaml_is_named(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text("items: [", encoding="utf-8")
    with pytest.raises(ValueError, match=r"wrong\.yaml: not valid YAML"):
        load_instrument(path)
