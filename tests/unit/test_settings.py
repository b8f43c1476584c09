"""Settings files: what is refused, and in which words."""

from pathlib import Path
from typing import Any

import pytest

from mimic.settings import parse_settings
from mimic.study import StudySettings, load_study, read_settings


def refusal(values: Any) -> str:
    with pytest.raises(ValueError, match=r"mine\.yaml") as caught:
        parse_settings(StudySettings, values, source="mine.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "key", "nearest"),
    [
        ({"finetun": {}}, "finetun", "finetune"),
        ({"finetune": {"seed": [1]}}, "finetune.seed", "seeds"),
        ({"finetune": {"dpo": {"betta": 1}}}, "finetune.dpo.betta", "beta"),
        (
            {"essays": {"source": {"kind": "csv", "path": "x", "pth": 1}}},
            "essays.source.pth",
            "path",
        ),
    ],
)
def test_an_unknown_key_names_the_nearest(values: Any, key: str, nearest: str) -> None:
    message = refusal(values)
    assert f"{key}: no such setting; did you mean {nearest!r}?" in message
    assert nearest in message.partition("allowed here: ")[2]


def test_an_unknown_key_that_resembles_nothing_lists_what_is_allowed() -> None:
    message = refusal({"forms": {"zzz": 1}})
    assert "did you mean" not in message
    assert "allowed here: formats, proposals, seed, trained_formats, wordings" in message


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"finetune": {"sft": {"learning_rate": 3}}}, "finetune.sft.learning_rate = 3: "),
        ({"finetune": {"dpo": {"steps": 0}}}, "finetune.dpo.steps = 0: "),
        ({"writing": {"profiles": 20}}, "writing.profiles = 20: "),
        ({"judge": {"c_values": [1.0, -2.0]}}, "judge.c_values.1 = -2.0: "),
        ({"compute": {"threads": "many"}}, "compute.threads = 'many': "),
    ],
)
def test_a_value_out_of_range_is_named(values: Any, line: str) -> None:
    assert line in refusal(values)


@pytest.mark.parametrize(
    ("value", "key"), [(3, "target_modules"), ([3], "target_modules.0"), ("all", "target_modules")]
)
def test_a_setting_of_two_types_is_named_as_the_file_has_it(value: Any, key: str) -> None:
    message = refusal({"finetune": {"dpo": {"lora": {"target_modules": value}}}})
    assert f"finetune.dpo.lora.{key} = " in message
    assert "tuple[" not in message
    assert "literal[" not in message


def test_a_section_within_itself_lists_what_the_section_allows() -> None:
    message = refusal({"forms": {"forms": {"seed": 1}}})
    assert "forms.forms: no such setting" in message
    assert "allowed here: formats, proposals, seed, trained_formats, wordings" in message


def test_all_mistakes_are_told_at_once() -> None:
    message = refusal({"forms": {"wordings": 0}, "metrics": {"seed": -9}})
    assert "2 wrong setting(s)" in message
    assert "forms.wordings = 0" in message
    assert "metrics.seed = -9" in message


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"kind": "cvs", "path": "x"}, "essays.source"),
        ({"kind": "csv"}, "essays.source.path"),
        ({"kind": "csv", "path": "x", "encoding": "latin9"}, "essays.source.encoding = 'latin9'"),
        ({"kind": "hub"}, "essays.source.revision"),
    ],
)
def test_the_kind_of_a_source_decides_what_it_needs(source: dict[str, str], expected: str) -> None:
    message = refusal({"essays": {"source": source}})
    assert expected in message
    assert ".csv." not in message, "a kind is no key of the file"
    assert ".hub." not in message, "a kind is no key of the file"


def test_a_wrong_kind_names_the_kinds() -> None:
    message = refusal({"essays": {"source": {"kind": "cvs"}}})
    assert all(kind in message for kind in ("embedded", "csv", "hub"))


@pytest.mark.parametrize("values", [["essays"], "essays", 3])
def test_what_holds_no_keys_is_refused(values: Any) -> None:
    assert "expected keys and values" in refusal(values)


def test_own_texts_must_exist_for_each_profile() -> None:
    message = refusal(
        {"questionnaire": {"profiles": 32, "contexts": ["own"]}, "writing": {"profiles": 16}}
    )
    assert "set writing.profiles (now 16) to 32" in message
    # What concerns the whole study doesn't repeat its settings.
    assert "{" not in message
    asked: dict[str, Any] = {
        "profiles": 16,
        "contexts": ["own"],
        "protocols": ["likelihood", "corrected"],
        "generation": {"profiles": 32},
    }
    message = refusal({"questionnaire": asked, "writing": {"profiles": 16}})
    assert "of questionnaire.generation.profiles; set writing.profiles (now 16) to 32" in message
    for harmless in ({"protocols": ["likelihood"]}, {"contexts": ["none"]}):
        parse_settings(StudySettings, {"questionnaire": asked | harmless}, source="mine.yaml")


@pytest.mark.parametrize(
    ("section", "key", "values"),
    [
        ("", "models", ["smollm2", "smollm2"]),
        ("finetune", "methods", ["dpo", "sft", "dpo"]),
        ("finetune", "seeds", [1, 1]),
        ("forms", "formats", ["digits", "digits"]),
        ("forms", "trained_formats", ["phrases", "phrases"]),
        ("questionnaire", "contexts", ["none", "none"]),
        ("questionnaire", "protocols", ["likelihood", "likelihood"]),
    ],
)
def test_what_is_named_twice_is_refused(section: str, key: str, values: list[Any]) -> None:
    message = refusal({section: {key: values}} if section else {key: values})
    name = f"{section}.{key}" if section else key
    assert f"{name} names {values[0]} more than once" in message


def test_who_proposes_rewordings_is_a_model_of_the_study() -> None:
    message = refusal({"models": ["smollm2"], "forms": {"proposals": {"model": "larger"}}})
    assert "forms.proposals.model = 'larger' is none of the study's models (smollm2)" in message
    assert "{" not in message
    message = refusal({"forms": {"proposals": {"modell": "smollm2"}}})
    assert "forms.proposals.modell: no such setting; did you mean 'model'?" in message
    named = parse_settings(
        StudySettings, {"forms": {"proposals": {"model": "smollm2"}}}, source="mine.yaml"
    )
    assert named.forms.proposals is not None and named.forms.proposals.each == 5


@pytest.mark.parametrize("root", ["/tmp/x", "../x", "results/../../x", "a b"])
def test_a_root_outside_is_refused(root: str) -> None:
    assert "root = " in refusal({"root": root})


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        StudySettings().root = "other"  # type: ignore[misc]


def test_the_default_study_names_defaults(project: Path) -> None:
    path = project / "config/config.yaml"
    assert parse_settings(StudySettings, read_settings(path), source=str(path)) == StudySettings()


@pytest.mark.parametrize("name", ["config.yaml", "smoke.yaml"])
def test_the_settings_files_of_the_project_make_runs(
    name: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    study = load_study(read_settings(Path("config", name)), source=name)
    assert [run.is_base for run in study.runs.values()].count(True) == len(study.models)
    assert set(study.runs) >= {"smollm2-base", "smollm2-sft-s1"}
    assert study.base_of("smollm2-sft-s1") == "smollm2-base"


def test_the_smoke_study_has_a_root_of_its_own(project: Path) -> None:
    values = read_settings(project / "config/smoke.yaml")
    smoke = parse_settings(StudySettings, values, source="smoke.yaml")
    assert smoke.root != StudySettings().root
    assert smoke.finetune.sft.steps == 2


def test_an_unknown_model_lists_the_known(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    with pytest.raises(ValueError, match=r"mine\.yaml: models: no 'gpt9' in .*; there .*smollm2"):
        load_study({"models": ["gpt9"]}, source="mine.yaml")
    with pytest.raises(ValueError, match="no 'neo' in config/instruments; there are ipip_"):
        load_study({"questionnaire": {"instrument": "neo"}}, source="mine.yaml")
    with pytest.raises(ValueError, match="no 'mini_ipp' .*; did you mean 'mini_ipip'. there are"):
        load_study({"questionnaire": {"instrument": "mini_ipp"}}, source="mine.yaml")


@pytest.mark.parametrize("key", ["formats", "trained_formats"])
def test_an_unknown_format_is_refused_before_any_job(
    project: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.chdir(project)
    words = (
        rf"mine\.yaml: forms\.{key}: no 'digit' in .*authored.yaml; did you mean 'digits'. there"
    )
    with pytest.raises(ValueError, match=words):
        load_study({"forms": {key: ["digit"]}}, source="mine.yaml")
    with pytest.raises(ValueError, match=r"mine\.yaml: .*one format must never be trained on"):
        load_study({"forms": {"formats": ["phrases"]}}, source="mine.yaml")


BEACH = "Tell of a day at the beach."
AS_TOLD = "  Tell of a DAY\n at the beach. "


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"pairs": {"request": BEACH}}, "pairs.request"),
        ({"finetune": {"pairs": {"request": BEACH}}}, "finetune.pairs.request"),
        (
            {"finetune": {"recipes": {"mine": {"pairs": {"request": BEACH}}}}},
            "finetune.recipes.mine.pairs.request",
        ),
        (
            {"finetune": {"recipes": {"mine": {"sweep": {"request": ["Write.", BEACH]}}}}},
            "finetune.recipes.mine.sweep.request",
        ),
    ],
)
def test_a_situation_that_is_trained_on_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, sections: dict[str, Any], key: str
) -> None:
    monkeypatch.chdir(project)
    situations = {"evening": "Tell what happened today.", "beach": AS_TOLD}
    with pytest.raises(ValueError) as caught:
        load_study({**sections, "writing": {"situations": situations}}, source="mine.yaml")
    assert str(caught.value) == (
        f"mine.yaml: writing.situations.beach = {AS_TOLD!r}: {key} asks for the same in training, "
        "and no situation may be trained on; write another request in one of the two"
    )


def test_one_situation_is_enough_and_a_request_that_no_run_trains_on_may_be_one(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    writing = {"situations": {"beach": BEACH}}
    swept = {"pairs": {"request": BEACH}, "sweep": {"request": ["Write.", "Tell of today."]}}
    untrained = {"methods": [], "recipes": {"own": {"pairs": {"request": "Write."}}}}
    for sections in (
        {},
        {"finetune": swept},
        {"pairs": {"request": BEACH}, "finetune": untrained},
    ):
        load_study({**sections, "writing": writing}, source="mine.yaml")


def test_runs_are_listed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    study = load_study({"finetune": {"methods": ["dpo"], "seeds": [2, 1]}}, source="mine.yaml")
    assert list(study.runs) == ["smollm2-base", "smollm2-dpo-s2", "smollm2-dpo-s1"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: [", "not valid YAML"), ("- a", "expected keys and values"), (None, "no such settings")],
)
def test_a_settings_file_that_cannot_be_read(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=words) as caught:
        read_settings(path)
    assert "mine.yaml" in str(caught.value)
