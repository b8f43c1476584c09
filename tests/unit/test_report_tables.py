"""The report's secondary tables and figures."""

from __future__ import annotations

import pytest
import report_example_parts as parts
from report_cells import details, note_of, row_of, texts
from report_example import example_study

from mimic.report import (
    tables,
    tables_answers,
    tables_checks,
    tables_contrasts,
    tables_stability,
)
from mimic.report.figures_structure import coherence, components, group_of, shares
from mimic.traits import TRAITS


def test_runs_are_shown_against_their_base() -> None:
    study = example_study()
    table = tables_contrasts.against_base(study)
    assert all(row[0].text != "tiny-base-s1" for row in table.rows)
    assert len(table.rows) == 3 * 3
    dpo = row_of(table, "tiny-dpo-s1", "questionnaire alone")
    assert texts(dpo)[2:] == ["+58.1", "−25.6"]
    assert [details(cell) for cell in dpo[2:]] == [["p = 0.0001"], ["p = 0.0002"]]
    wrote = row_of(table, "tiny-dpo-s1", "texts")
    assert texts(wrote)[2:] == ["+23.2", "–"]
    assert note_of(table, wrote[3]) == "Texts have no forms to spread over."
    orpo = row_of(table, "tiny-orpo-s1", "questionnaire alone")
    assert texts(orpo)[2:] == ["−0.5", "–"]
    assert note_of(table, orpo[3]) == "A run has no signal at all."
    assert texts(row_of(table, "tiny-sft-s1", "texts"))[2] == "0.0"
    assert "Exploratory" in table.caption
    assert tables_contrasts.is_tested(study)
    assert not tables_contrasts.is_tested(study | {"runs": study["runs"][:1]})


def test_a_single_form_has_no_difference_of_its_spread() -> None:
    study = example_study()
    del study["runs"][2]["questionnaire"]["own"]["against_base"]["noise_to_signal"]
    table = tables_contrasts.against_base(study)
    cell = row_of(table, "tiny-dpo-s1", "questionnaire after the run’s own text")[3]
    assert note_of(table, cell) == "A single form has no spread over forms."


def test_each_trait_has_an_area_without_a_cut() -> None:
    study = example_study()
    table = tables_contrasts.by_trait(study, "own")
    dpo = row_of(table, "tiny-dpo-s1", "extraversion")
    assert texts(dpo)[2:] == ["90.5 %", "0.93"]
    assert details(dpo[3]) == ["[0.85, 1.01]"]
    wrote = tables_contrasts.by_trait(study, "texts")
    assert texts(row_of(wrote, "tiny-dpo-s1", "openness"))[2:] == ["79.0 %", "0.82"]
    missing = row_of(wrote, "tiny-orpo-s1", "openness")[3]
    assert note_of(wrote, missing) == "High or low targets are missing."
    assert len(table.rows) == len(wrote.rows) == 20


def test_sensitivity_holds_every_choice() -> None:
    table = tables_answers.sensitivity(example_study())
    assert table.columns[2:4] == [
        "Primary cut: norms of the original form",
        "Other cut: 3.0, as published",
    ]
    dpo = row_of(table, "tiny-dpo-s1", "none")
    assert texts(dpo)[2:] == ["61.2 %", "30.6 %", "55.1 %", "–", "61.2 %"]
    assert details(dpo[3]) == ["[26.6, 34.6]", "p = 0.23"]
    assert details(dpo[4]) == ["AUC 0.61"]
    assert note_of(table, dpo[5]) == "Openness has no minus-keyed item."
    assert details(dpo[6]) == ["no AUC", "4.2 % left out"]
    assert texts(row_of(table, "tiny-dpo-s1", "composed essays"))[2] == "13.9 %"


def test_sensitivity_of_stability_sets_other_scores_beside_the_main_ones() -> None:
    table = tables_answers.sensitivity_of_stability(example_study())
    dpo = row_of(table, "tiny-dpo-s1", "none")
    assert texts(dpo)[2:] == ["0.31", "0.50", "–", "0.50"]
    assert details(dpo[2]) == ["B 0.72", "S/|B| 0.4"]
    assert details(dpo[3]) == ["B 0.20", "S/|B| 2.5"]
    assert note_of(table, dpo[4]) == "Openness has no minus-keyed item."
    assert details(dpo[5]) == ["no B", "no S/|B|"]
    # Few essays do not tell the traits apart.
    assert details(row_of(table, "tiny-dpo-s1", "composed essays")[2]) == ["no B", "no S/|B|"]


def test_forms_averaged_stand_beside_exact_match() -> None:
    table = tables.results(example_study(), "none")
    place = table.columns.index("Forms averaged")
    assert texts(row_of(table, "tiny-dpo-s1"))[place] == "61.2 %"
    assert "Forms averaged" not in " ".join(tables_answers.answering(example_study()).columns)


def test_low_mass_everywhere_leaves_no_figure() -> None:
    study = example_study()
    reason = "a trait would be left without answers"
    found = study["runs"][0]["questionnaire"]["none"]["sensitivity"]
    found["low_mass_left_out"] = {"left_out": 0.97, "reason": reason}
    table = tables_answers.sensitivity(study)
    cell = row_of(table, "tiny-base-s1", "none")[-1]
    assert (cell.text, details(cell)) == ("–", ["97.0 % left out"])
    assert note_of(table, cell) == "A trait would be left without answers."


def test_coherence_sets_observed_beside_the_product() -> None:
    study = example_study()
    study["runs"][2]["questionnaire"]["none"]["coherence"].update(observed=0.5, independent=0.25)
    study["runs"][1]["questionnaire"]["none"]["coherence"]["independent"] = 0.0
    table = tables_answers.coherence(study)
    row = texts(row_of(table, "tiny-dpo-s1", "none"))
    assert row[2:] == ["50.0 %", "25.0 %", "2.00", "0.12", "0.71"]
    assert texts(row_of(table, "tiny-sft-s1", "none"))[4] == "–"
    flat = row_of(table, "tiny-orpo-s1", "none")
    assert texts(flat)[-2:] == ["–", "–"]
    assert note_of(table, flat[-1]) == "A trait does not vary."
    assert len(table.rows) == 8


def test_withheld_profiles_stand_beside_the_others() -> None:
    table = tables_answers.withheld(example_study())
    assert texts(row_of(table, "tiny-sft-s1"))[1:3] == ["no", "none"]
    row = row_of(table, "tiny-dpo-s1", "yes", "texts")
    assert texts(row)[3:] == ["25.0 %", "12.5 %"]
    of_sixteen = (
        ["4 profiles", "all with high openness", "constant profile 25.0 %"],
        ["12 profiles", "4 with high openness", "constant profile 8.3 %"],
    )
    bounds = ("[5.0, 45.0]", "[2.5, 22.5]")
    assert [details(cell) for cell in row[3:]] == [
        [bound, *lines] for bound, lines in zip(bounds, of_sixteen, strict=True)
    ]
    of_answers = row_of(table, "tiny-dpo-s1", "yes", "none")
    assert [details(cell)[1:] for cell in of_answers[3:]] == list(of_sixteen)
    empty = row_of(table, "tiny-orpo-s1", "yes", "texts")
    assert note_of(table, empty[3]) == "No text for such a profile."


def test_where_withheld_profiles_are_balanced_their_table_warns_of_nothing() -> None:
    study, warning = example_study(), "says nothing of targets that weren’t trained on"
    assert warning in tables_answers.withheld(study).caption
    for run in study["runs"]:
        for part in (*run["questionnaire"].values(), run["texts"]):
            if part["withheld"] is None or "targets" not in part["withheld"]["withheld"]:
                continue
            part["withheld"]["withheld"]["targets"] = parts.targets(profiles=8, high_openness=4)
            part["withheld"]["others"]["targets"] = parts.targets(profiles=23, high_openness=11)
    table = tables_answers.withheld(study)
    assert warning not in table.caption
    row = row_of(table, "tiny-dpo-s1", "yes", "none")
    assert [details(cell)[1:] for cell in row[3:]] == [
        ["8 profiles", "constant profile 12.5 %"],
        ["23 profiles", "constant profile 4.3 %"],
    ]
    # Openness is low in all withheld profiles, and of the others there is one.
    here = study["runs"][0]["questionnaire"]["none"]["withheld"]
    here["withheld"]["targets"] = parts.targets(profiles=4, high_openness=0)
    here["others"]["targets"] = parts.targets(profiles=1, high_openness=1)
    table = tables_answers.withheld(study)
    assert warning in table.caption
    found = [details(cell)[1:] for cell in row_of(table, "tiny-base-s1", "no", "none")[3:]]
    assert found[0][1] == "all with low openness"
    assert found[1][:2] == [
        "1 profile",
        "all with high openness, low conscientiousness, low extraversion, low agreeableness and "
        "low neuroticism",
    ]


def test_correlations_without_variation_are_drawn_as_a_dash() -> None:
    drawing = coherence(example_study(), "none")
    # Openness of orpo: eight of its cells, and five diagonals in each of four runs.
    assert drawing.svg.count(">–<") == 8 + 4 * 5
    assert "0.37" in drawing.svg


def test_stability_by_trait_has_both_ratios_and_the_verdict() -> None:
    table = tables_stability.stability(example_study(), "none")
    assert len(table.rows) == 20
    dpo = row_of(table, "tiny-dpo-s1", "openness")
    assert texts(dpo)[2:] == ["0.26", "25.0 %", "0.90", "0.3", "0.26", "0.01", "yes"]
    assert details(dpo[2]) == ["[0.21, 0.31]"]
    assert details(dpo[3]) == ["[15.0, 35.0]"]
    base = row_of(table, "tiny-base-s1")
    assert texts(base)[-3:] == ["–", "–", "–"]
    assert texts(base)[3] == "–"
    assert note_of(table, base[-1]) == "The base is what the others are compared with."
    flat = row_of(table, "tiny-orpo-s1", "agreeableness")
    assert (flat[5].text, flat[-1].text) == ("–", "no")
    assert note_of(table, flat[5]) == "The target has no effect on this trait."


def test_components_mark_negatives_and_say_what_is_missing() -> None:
    table = tables_stability.components(example_study(), "none")
    own = row_of(table, "tiny-dpo-s1", "own target")
    assert texts(own)[2:] == ["60.0 %"] * 5
    assert details(own[1]) == ["df 1"]
    assert details(own[2]) == ["0.750"]
    assert note_of(table, own[0]) == "One format only, so that format drops out."
    negative = row_of(table, "tiny-dpo-s1", "other targets")[2]
    assert (texts([negative]), details(negative)) == (["0.0 %"], ["below 0, set to 0"])
    orpo = row_of(table, "tiny-orpo-s1", "own target")
    assert orpo[-1].text == "–"
    assert "formats have different wordings" in note_of(table, orpo[0])


def test_a_run_without_components_has_one_row_that_says_why() -> None:
    study = example_study()
    nothing = {"rows": [], "notes": ["the answers do not vary"]}
    study["runs"][1]["questionnaire"]["none"]["components"] = dict.fromkeys(TRAITS, nothing)
    table = tables_stability.components(study, "none")
    rows = [row for row in table.rows if row[0].text == "tiny-sft-s1"]
    assert len(rows) == 1
    assert note_of(table, rows[0][0]) == "The answers do not vary."
    assert components(study, "none").svg.count("no components") == 6 + 1


@pytest.mark.parametrize(
    ("source", "group"),
    [
        ("own target", "own target"),
        ("target interactions", "other targets"),
        ("other targets × format", "targets × items or forms"),
        ("own target × item", "targets × items or forms"),
        ("item", "items"),
        ("item rewording", "forms"),
        ("wording × order", "forms"),
        ("item × order", "items × forms"),
        ("residual", "residual"),
    ],
)
def test_each_source_belongs_to_a_group(source: str, group: str) -> None:
    assert group_of(source) == group


def test_groups_add_up_to_the_whole() -> None:
    found = parts.reliability(0.3, flat=True)["components"]
    grouped = shares(found["openness"])
    assert grouped is not None
    assert sum(grouped.values()) == pytest.approx(1)
    assert grouped["own target"] == pytest.approx(0.3)
    # wording, item rewording, wording × format
    assert grouped["forms"] == pytest.approx(3 * grouped["items"])
    assert shares(found["neuroticism"]) is None


def test_icc_within_groups_stands_beside_icc() -> None:
    table = tables_stability.icc(example_study(), "none")
    dpo = row_of(table, "tiny-dpo-s1")
    assert texts(dpo)[2:] == ["0.60", "0.90", "0.95", "0.11", "0.11", "0.11"]
    assert details(dpo[2]) == ["[0.50, 0.70]"]
    flat = row_of(table, "tiny-orpo-s1", "openness")
    assert texts(flat)[2:5] == ["–"] * 3
    assert note_of(table, flat[2]) == "The values do not differ between targets."
    assert "ignoring shifts" in " ".join(table.columns)
    assert "take forms for independent raters" in table.caption


def test_published_definitions_have_their_own_names() -> None:
    table = tables_stability.published(example_study(), "none")
    assert table.columns[2::2] == ["SD of trait means over profiles", "SD over a trait’s items"]
    dpo = row_of(table, "tiny-dpo-s1", "conscientiousness")
    assert texts(dpo)[2:] == ["0.46", "21.7 %", "0.62", "21.7 %"]
    single = row_of(table, "tiny-dpo-s1", "openness")[4]
    assert note_of(table, single) == "A single item has no spread."
    extraversion = row_of(table, "tiny-dpo-s1", "extraversion")[3]
    assert note_of(table, extraversion) == "The base has no spread to reduce."
    assert texts(row_of(table, "tiny-base-s1"))[3::2] == ["–", "–"]


def test_scales_say_why_omega_is_missing() -> None:
    study = example_study()
    table = tables_stability.scales(study)
    assert table is not None
    assert texts(row_of(table, "tiny-sft-s1", "neuroticism"))[2:] == ["320", "0.81", "0.34", "0.79"]
    omega = row_of(table, "tiny-sft-s1", "openness")[-1]
    assert note_of(table, omega).startswith("Heywood case")
    study["runs"][0]["scales"] = None
    table = tables_stability.scales(study)
    assert table is not None
    assert len(table.rows) == 15
    for run in study["runs"]:
        run["scales"] = None
    assert tables_stability.scales(study) is None


def test_checks_name_the_essays_of_their_context() -> None:
    table = tables_checks.checks(example_study())
    assert "option mass, context composed essays" in [row[1].text for row in table.rows]


def test_one_profile_for_everything_has_a_row_for_each_share() -> None:
    table = tables.baselines(example_study())
    constant = [row for row in table.rows if row[0].text == "constant profile"]
    assert [texts(row)[1] for row in constant] == ["6.2 %", "25.0 %", "12.5 %"]
    assert [row[2].text.split("; ")[1] for row in constant] == [
        "questionnaire alone, questionnaire after the run’s own text",
        "questionnaire about a composed essay",
        "texts",
    ]
    modal = [texts(row)[1] for row in table.rows if row[0].text == "modal profile"]
    assert modal == ["0.0 %", "12.5 %"]


def test_baselines_hold_the_respondent_of_the_norms() -> None:
    study = example_study()
    table = tables.baselines(study)
    assert texts(row_of(table, "human-like respondent"))[1] == "18.8 %"
    # Likelihood alone, and no prompt without a target.
    assert sum(row[0].text == "human-like respondent" for row in table.rows) == 1
    assert sum(row[0].text == "prompt only, tiny" for row in table.rows) == 3
    study["gates"]["reference"] = None
    assert all(row[0].text != "human-like respondent" for row in tables.baselines(study).rows)
