"""Entries of config/models.yaml: those that are there, and what is refused."""

import copy
import re
from pathlib import Path

import pytest
import tiny_llama
import yaml

from mimic.models.settings import ModelSettings, check_models
from mimic.settings import parse_settings
from mimic.study import load_models

REFERENCE_STUDY = {
    "google/gemma-2-2b",
    "google/gemma-7b",
    "meta-llama/Llama-3.1-8B",
    "meta-llama/Llama-3.2-3B-Instruct",
    "gpt-3.5-turbo-0125",
}
PHASE_2 = {"meta-llama/Llama-3.1-70B"}
ARCHITECTURE = tiny_llama.ARCHITECTURE | {"vocabulary": 100}
ENTRY = tiny_llama.ENTRY | {
    "license": "MIT",
    "aligned": "aligned",
    "source": {"kind": "hub", "id": "a/b", "revision": "0" * 40},
    "architecture": ARCHITECTURE,
}
SERVED = {"title": "S", "license": "-", "aligned": "aligned", "source": {"kind": "api", "id": "s"}}
UNCENSORED = {"aligned": "uncensored", "pair": "a"}


@pytest.fixture(scope="module")
def entries(project: Path) -> dict[str, ModelSettings]:
    return load_models(project / "config/models.yaml")


def counted(entry: ModelSettings) -> float:
    """Parameters, in millions, of embeddings, attention and feed-forward parts."""
    shape = entry.architecture
    assert shape is not None
    embeddings = shape.vocabulary * shape.hidden_size * (1 if shape.tied_embeddings else 2)
    attention = 2 * shape.hidden_size * shape.head_dim * (shape.heads + shape.key_value_heads)
    return (
        embeddings + shape.layers * (attention + 3 * shape.hidden_size * shape.intermediate_size)
    ) / 1e6


def test_the_models_of_the_reference_study_and_pairs_are_there(entries):
    ids = {getattr(entry.source, "id", "") for entry in entries.values()}
    assert ids >= REFERENCE_STUDY | PHASE_2
    assert sum(entry.aligned == "uncensored" for entry in entries.values()) >= 3


def test_each_shape_has_as_many_parameters_as_its_entry_says(entries):
    with_weights = [entry for entry in entries.values() if not entry.is_served]
    assert len(with_weights) == len(entries) - 1
    for entry in with_weights:
        # Norms are left out.
        assert counted(entry) == pytest.approx(entry.parameters, rel=1e-3), entry.title


def test_no_two_entries_are_the_same_weights(project):
    values = yaml.safe_load((project / "config/models.yaml").read_text())
    sources = [entry["source"] for entry in values.values()]
    assert len({source.get("revision") or source.get("id") for source in sources}) >= len(sources)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dtype": None}, "dtype missing; take them from the model's config.json"),
        ({"architecture": None, "parameters": None}, "parameters and architecture missing"),
        ({"aligned": "uncensored"}, "pair is None and aligned is 'uncensored'"),
        ({"pair": "b"}, "pair is 'b' and aligned is 'aligned'"),
        ({"aligned": "tame"}, "aligned = 'tame': Input should be 'aligned', 'uncensored' or"),
        (
            {"architecture": ARCHITECTURE | {"heads": 3}},
            "architecture = .*3 heads can't share 2 heads of keys and values",
        ),
        (
            {"architecture": ARCHITECTURE | {"layer": 3}},
            "architecture.layer: no such setting; did you mean 'layers'",
        ),
        (
            {"source": {"kind": "hub", "id": "a/b", "revision": "main"}},
            "source.revision = 'main'",
        ),
        (
            {"source": {"kind": "api", "id": "s"}},
            "dtype and architecture: nobody can check them for a model of an API; leave them out",
        ),
        (
            {"source": {"kind": "api", "id": "s", "base_url": "https://me:secret@host/v1"}},
            "source.base_url",
        ),
        ({"source": {"kind": "api", "id": "s", "key_variable": "sk-abc"}}, "source.key_variable"),
    ],
)
def test_what_an_entry_may_not_say(changes, words):
    with pytest.raises(ValueError, match="models.yaml: a: 1 wrong setting") as caught:
        parse_settings(ModelSettings, ENTRY | changes, source="models.yaml: a")
    assert re.search(words, str(caught.value)), caught.value


def test_a_served_model_needs_no_shape():
    assert ModelSettings(**SERVED).is_served
    assert not ModelSettings(**ENTRY).is_served


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("b", {"pair": "none"}, "b: pair = 'none': no such model; there are a, b"),
        ("b", {"architecture": ARCHITECTURE | {"layers": 3}}, "layers is 3, not 2"),
        ("b", {"family": "f"}, "b: family = 'f', but that of its pair a is None"),
        ("b/c", {}, "'b/c' can't be a model's name"),
    ],
)
def test_a_pair_is_an_aligned_model_of_the_same_shape(name, changes, words):
    def made(**of_b):
        second = copy.deepcopy(ENTRY) | UNCENSORED | of_b
        return {"a": ModelSettings(**ENTRY), name: ModelSettings(**second)}

    with pytest.raises(ValueError, match="models.yaml") as caught:
        check_models(made(**changes), source="models.yaml")
    assert words in str(caught.value)
    if name == "b":
        check_models(made(), source="models.yaml")


def test_a_pair_that_is_no_aligned_model_is_refused():
    base = ENTRY | {"aligned": "base"}
    models = {"a": ModelSettings(**base), "b": ModelSettings(**(ENTRY | UNCENSORED))}
    with pytest.raises(ValueError, match="that model is base, not aligned"):
        check_models(models, source="models.yaml")
