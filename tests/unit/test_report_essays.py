"""Tables of the essays: what moderation filtered, and runs that link essays to traits."""

from __future__ import annotations

from report_cells import details, note_of, row_of, texts
from report_example import example_study

from mimic.report import (
    tables_essays,
)


def test_moderation_says_what_was_filtered_and_how_labels_lie() -> None:
    study = example_study()
    reasons, balance = tables_essays.moderation(study)
    assert "12 of 252 essays" in reasons.caption
    assert [texts(row) for row in reasons.rows] == [["violence", "12"], ["hate", "0"]]
    row = row_of(balance, "neuroticism")
    assert texts(row) == ["neuroticism", "25.0 %", "50.0 %", "−25.0 points"]
    assert details(row[1]) == ["3 high, 9 low"]
    assert "may unbalance labels" in balance.caption
    words = tables_essays.moderation_words(study)
    assert "list of patterns (version 1)" in words and "Of 252 essays it filtered 12." in words


def test_moderation_by_an_api_names_consent_terms_and_who_answered() -> None:
    study = example_study()
    study["corpus"]["moderation"] |= {
        "kind": "api",
        "base_url": "https://api.example.org/v1",
        "model": "newest",
        "answered_by": {"model-1": 200, "model-2": 52},
        "consent": "the study's form of consent, point 4",
        "terms": "contract 17",
    }
    words = tables_essays.moderation_words(study)
    assert "newest at https://api.example.org/v1 was the filter; model-1 and model-2" in words
    assert "Consent: the study's form of consent, point 4. Terms: contract 17." in words


def test_without_filtered_essays_there_is_a_sentence_and_no_table() -> None:
    study = example_study()
    study["corpus"]["moderation"]["filtered"] = 0
    assert tables_essays.moderation(study) == []
    assert tables_essays.moderation_words(study).endswith("Of 252 essays it filtered none.")
    study["corpus"]["moderation"] = None
    assert tables_essays.moderation(study) == []
    assert tables_essays.moderation_words(study) == "The essays were not moderated."


def test_linking_scores_essays_against_their_labels() -> None:
    table = tables_essays.linking(example_study())
    dpo = row_of(table, "tiny-dpo-s1")
    assert texts(dpo)[2:4] == ["8", "13.9 %"]
    assert details(dpo[2]) == ["7 profiles"]
    assert details(dpo[3]) == ["[11.9, 15.9]", "p = 0.0004"]
    assert "target" not in " ".join(table.columns)
    # Eight essays of seven profiles: two share one, so that saying it always fits in 2 of 8.
    assert "every essay fits in at most 25.0 %" in table.caption.replace("\xa0", " ")


def test_linking_of_as_many_profiles_as_essays_is_exact() -> None:
    study = example_study()
    study["runs"][0]["questionnaire"]["human"]["profiles"] = 8
    study["runs"][0]["baselines"]["constant_profile"]["questionnaire"]["human"] = 1 / 8
    assert "every essay fits in 12.5 %" in tables_essays.linking(study).caption.replace("\xa0", " ")


def test_few_essays_have_no_signal_and_say_why() -> None:
    table = tables_essays.linking_by_trait(example_study())
    cells = row_of(table, "tiny-sft-s1", "openness")[-2:]
    assert texts(cells) == ["–", "–"]
    for cell in cells:
        assert note_of(table, cell).startswith("The essays’ profiles do not tell the five traits")


def test_many_essays_have_a_signal() -> None:
    study = example_study()
    stability = study["runs"][1]["questionnaire"]["human"]["stability"]
    stability["traits"]["openness"].update(signal=0.25, noise_to_signal=1.6)
    stability["traits"]["neuroticism"].update(signal=0.0)
    table = tables_essays.linking_by_trait(study)
    assert texts(row_of(table, "tiny-sft-s1", "openness"))[-2:] == ["0.25", "1.6"]
    last = row_of(table, "tiny-sft-s1", "neuroticism")[-1]
    assert note_of(table, last) == "The labels have no effect on this trait."
