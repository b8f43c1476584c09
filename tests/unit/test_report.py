"""The report's page: what it says, that it stands alone, and that it is always the same."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from report_example import (
    described,
    example_study,
    with_null_adapters,
    with_seeds,
    write_inputs,
)

from mimic.report import tables, tables_contrasts
from mimic.report.build import main
from mimic.report.facts import holm
from mimic.report.words import answer, failures
from mimic.report.words_limits import limits
from mimic.step import Job


def build(folder: Path, study: dict[str, Any], **report: Any) -> Path:
    """Build the report and return its folder."""
    source, out = folder / "in", folder / "out"
    source.mkdir(parents=True)
    out.mkdir()
    settings = {"report": report, "study": described()}
    main(Job(name="report", settings=settings, inputs=write_inputs(source, study), out=out))
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("report"), example_study())


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "index.html").read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Collects addresses, ids, tags, and the text of table rows."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "data", "srcset", "action"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self.rows.append([])

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.replace("\xa0", " ").strip() + "|" * bool(data.strip())

    def row(self, name: str) -> list[str]:
        """The first row that begins with a name."""
        return next(row for row in self.rows if row and row[0] == f"{name}|")


def test_page_stands_alone(page: str) -> None:
    reader = Reader(page)
    assert reader.addresses
    assert all(address.startswith("#") for address in reader.addresses)
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(reader.tags)
    assert not re.search(r"url\((?!#)|@import", page)
    # Namespaces are names, not addresses; nothing else may look like one.
    assert set(re.findall(r'https?://[^"\s<]+', page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_anchors_and_labels_lead_somewhere(page: str) -> None:
    reader = Reader(page)
    assert len(reader.ids) == len(set(reader.ids))
    targets = [address[1:] for address in reader.addresses]
    targets += re.findall(r"url\(#([^)]+)\)", page)
    targets += " ".join(re.findall(r'aria-labelledby="([^"]+)"', page)).split()
    assert set(targets) <= set(reader.ids)


def test_main_table_has_the_numbers(page: str) -> None:
    reader = Reader(page)
    assert reader.row("tiny-dpo-s1") == [
        "tiny-dpo-s1|",
        "dpo|",
        "61.2 %|[58.7, 63.7]|p = 0.0001|",
        "61.2 %|[59.2, 63.2]|",
        "0.93|[0.88, 0.98]|",
        "27.9 %|[23.9, 31.9]|p = 0.0001|",
        "0.82|[0.78, 0.86]|",
        "0.31|[0.26, 0.36]|",
        "40.4 %|[34.4, 46.4]|",
        "0.4|",
        "5 of 5|null adapters: not run|",
        "learned|validation margin 0.010 to 0.642 (SE 0.020)|",
    ]
    orpo = reader.row("tiny-orpo-s1")
    assert orpo[8] == "−5.8 %|[−11.8, 0.2]|"
    assert orpo[9] == "62.6|B ≤ 0 in 5|none in 1|"
    assert reader.row("uniform")[1] == "3.125 %|"
    assert reader.row("null adapter, tiny")[1] == "not run|"
    assert reader.row("mean")[1] == "78.0 %|[73.0, 83.0]|"


def test_missing_values_are_a_dash_with_their_reason(page: str) -> None:
    orpo = Reader(page).row("tiny-orpo-s1")
    assert orpo[5].startswith("–|")
    number = int(orpo[5].split("|")[1])
    notes = re.findall(r"<li>([^<]*)</li>", page[page.index('<ol class="notes">') :])
    assert notes[number - 1] == "High or low targets are missing."


def test_missing_interval_says_why(tmp_path: Path) -> None:
    study = example_study()
    match = study["runs"][1]["questionnaire"]["none"]["exact_match"]
    match.update(low=None, high=None, reason="neither item clusters nor wordings can vary")
    page = (build(tmp_path, study) / "index.html").read_text(encoding="utf-8")
    assert Reader(page).row("tiny-sft-s1")[2].startswith("4.2 %|")
    assert "No interval: neither item clusters nor wordings can vary." in page


def test_labels_are_escaped_in_html_and_svg(tmp_path: Path) -> None:
    study = example_study()
    evil = '<img src="http://evil.example/x">$\\alpha$&'
    study["runs"][0]["run"] = evil
    study["checks"][0]["detail"] = "</td><script>alert(1)</script>"
    page = (
        build(tmp_path, study, title="<b>T</b>", authors=["<i>A</i>"]) / "index.html"
    ).read_text(encoding="utf-8")
    reader = Reader(page)
    assert not {"img", "script", "b", "i"} & set(reader.tags)
    assert "&lt;b&gt;T&lt;/b&gt;" in page
    assert "$\\alpha$" in page


def test_same_input_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = build(tmp_path, example_study())
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert len(files) == 14
    for name in files:
        assert (folder / name).read_bytes() == (again / name).read_bytes(), name


def test_figures_have_title_and_description(folder: Path) -> None:
    for path in (folder / "figures").glob("*.svg"):
        svg = path.read_text(encoding="utf-8")
        assert re.search(r"<title [^>]*>[^<]+</title>\s*<desc [^>]*>[^<]+</desc>", svg), path
        assert "<metadata>" not in svg
        assert "<style" not in svg


def test_training_that_learned_nothing_is_loud(page: str) -> None:
    alarm = page[page.index('role="alert"') : page.index('class="answer"')]
    assert "tiny-orpo-s1: the training learned nothing measurable" in alarm
    assert "tiny-sft-s1" not in alarm


def test_no_alarm_without_failure() -> None:
    study = example_study()
    study["runs"] = study["runs"][:3]
    study["checks"] = [check for check in study["checks"] if check["passed"] is not False]
    assert failures(study) == []
    study["checks"][-1]["passed"] = False
    assert failures(study) == ["judge: the check “judge reads above chance” failed. no interval."]


def test_composed_is_never_called_human(page: str) -> None:
    # The settings name the context human; the respondent of that name is drawn from norms.
    said = page[: page.index("<pre")].lower().replace("human-like", "")
    assert "human" not in said
    assert "composed reference" in page
    assert "the labels they were composed for" in page
    human = example_study(kind="human")
    assert "composed" not in limits(human, described())[0]


def test_human_essays_have_authors(tmp_path: Path) -> None:
    page = (build(tmp_path, example_study(kind="human")) / "index.html").read_text(encoding="utf-8")
    assert "composed" not in page
    assert "human essays that no run trained on" in page
    assert "the labels of the essays’ authors" in page


def test_answer_names_the_strong_run_alone() -> None:
    found = answer(example_study())
    assert found.headline == (
        "tiny-dpo-s1 gave answers consistent with the target in at least one context and wrote "
        "texts that the judge read as the target, both more often than chance. The base, with the "
        "prompt alone, could not be told from chance. More stable than the base in all five "
        "traits: tiny-dpo-s1. More often than chance, tiny-dpo-s1 gave answers about composed "
        "essays consistent with the labels they were composed for."
    )
    words = " ".join(line for _, lines in found.points for line in lines)
    assert "Only before that correction: tiny-sft-s1." in words
    said = words.replace("\xa0", " ")
    assert "at random fits in 3.1 %, always the same one in up to 25.0 %." in said
    assert "Exploratory: the tests were not named before the study." in words
    # Four runs, three contexts and texts, of which orpo's have no figure.
    assert "after Holm’s correction over all 15 tests" in words
    assert "has the personality" not in words


def test_answer_says_so_when_nothing_was_found() -> None:
    study = example_study()
    study["runs"] = [run for run in study["runs"] if run["method"] != "dpo"]
    found = answer(study)
    assert found.headline == (
        "No trained run’s answers or texts could be told from chance. No trained run is more "
        "stable than the base in all five traits. No run’s answers about composed essays could be "
        "told from chance by the labels they were composed for."
    )


def test_linking_essays_is_no_accuracy_of_the_target() -> None:
    study = example_study()
    base = study["runs"][0]["questionnaire"]["human"]["exact_match"]
    base.update(value=0.3, p_value=0.0001)
    for run in study["runs"][1:]:
        run["questionnaire"] = {"human": run["questionnaire"]["human"], "none": _by_chance(run)}
        run["texts"]["exact_match"]["p_value"] = 0.5
    study["runs"][0]["questionnaire"].pop("own")
    headline = answer(study).headline
    assert headline.startswith("No trained run’s answers or texts could be told from chance.")
    assert "The untrained base’s could" not in headline
    assert "More often than chance, tiny-base-s1 and tiny-dpo-s1 gave answers about" in headline


def _by_chance(run: dict[str, Any]) -> dict[str, Any]:
    part: dict[str, Any] = run["questionnaire"]["none"]
    part["exact_match"]["p_value"] = 0.5
    return part


def test_null_adapters_decide_the_answer() -> None:
    study = with_null_adapters()
    found = answer(study)
    assert found.headline == (
        "Training on true labels rather than permuted ones made a difference for tiny-dpo. More "
        "stable than the base in all five traits: tiny-dpo-s1."
    )
    points = dict(found.points)
    assert points["Against null adapters"] == [
        "tiny-sft: better than each of its null adapters in none of the figures.",
        "tiny-dpo: better than each of its null adapters in S/|B|, questionnaire exact match and "
        "text exact match.",
    ]
    assert "fixed before the study" in points["What that rests on"][0]
    assert "6 tests" in points["What that rests on"][0]
    # What is exploratory is no answer any more.
    words = " ".join(line for _, lines in found.points for line in lines)
    assert "Holm" not in words
    for test in study["family"]["tests"]:
        test["adjusted"] = None if test["adjusted"] is None else 1.0
    assert answer(study).headline.startswith("No difference was found between")


def test_the_page_shows_null_adapters_and_seeds(tmp_path: Path) -> None:
    study = with_null_adapters()
    page = (build(tmp_path, study) / "index.html").read_text(encoding="utf-8")
    reader = Reader(page)
    assert reader.row("null adapter, tiny-dpo")[1] == "3.0 %|1.0 to 5.0 %|"
    rows = tables_contrasts.against_null(study).rows
    assert [[cell.text for cell in row] for row in rows if row[0].text == "tiny-dpo"][1] == [
        "tiny-dpo",
        "questionnaire exact match",
        "61.2\xa0%",
        "3.0\xa0%",
        "5 of 5",
        "p\xa0=\xa00.0002",
        "p\xa0=\xa00.0004",
    ]
    # orpo has none, and no test.
    assert {row[0].text for row in rows} == {"tiny-sft", "tiny-dpo"}
    assert "Exact match against chance" in page
    assert "not run" not in [cell.text for row in tables.baselines(study).rows for cell in row]
    assert "No null adapter" not in " ".join(limits(study, described()))
    study["series"][0]["null_adapters"] = ["tiny-sft-null1-s1"]
    assert "fewer than 5 null adapters: 1" in " ".join(limits(study, described()))


def test_an_item_trained_run_says_so() -> None:
    study = with_seeds(3)
    assert "Items" not in tables.results(study, "none").columns
    study["runs"][1]["item_trained"] = True
    study["runs"][1]["questionnaire"]["none"]["items"] = 10
    table = tables.results(study, "none")
    base, sft, seeds, dpo = table.rows[:4]
    place = table.columns.index("Items")
    assert [row[place].text for row in (base, sft, seeds, dpo)] == ["20", "10", "10", "20"]
    assert sft[place].details == ("item-trained: held-out items and formats",)
    assert base[place].details == ()
    assert {len(row) for row in table.rows} == {len(table.columns)}


def test_the_judge_of_a_published_split_shows_its_own_figure(tmp_path: Path) -> None:
    study = example_study()
    assert len(tables.judges(study)) == 1
    figure = copy.deepcopy(study["judge"]) | {"trained_on": {"essays": 207}}
    study["other_judges"] = {"published-sft": figure}
    study["runs"][1]["judge"] = "published-sft"
    # Its texts aren't compared by the judge that read the others'.
    del study["runs"][1]["questionnaire"]["human"]
    table = tables.judges(study)[1]
    assert "reads tiny-sft-s1 and" in table.caption
    assert "the 207 essays outside" in table.caption
    assert len(table.rows) == 7
    assert "judge published-sft" in tables.results(study, "none").rows[1][5].details
    page = (build(tmp_path, study) / "index.html").read_text(encoding="utf-8")
    assert "The judge published-sft" in page


def test_limits_follow_the_study() -> None:
    study = example_study()
    small = " ".join(limits(study, described()))
    assert "135 million parameters" in small
    assert "one seed" in small
    assert "No null adapter" in small
    assert "16 of the 32 profiles" in small
    assert "trained runs were tested against their base, and not against each other" in small
    assert "tiny-dpo-s1: 3 of 32 cells of profile and situation have one text" in small
    assert "no interval here holds it" in small
    assert "leave out what the study can’t vary: format s1 has one instruction wording" in small
    large = " ".join(limits(with_seeds(3), {"models": {"big": {"parameters": 7000}}}))
    assert "million" not in large
    assert "one seed" not in large
    assert "those of rows over seeds do from 5 seeds on" in large
    assert "those of rows over seeds do." in " ".join(limits(with_seeds(5), described()))
    bare = " ".join(limits(study | {"runs": study["runs"][:1]}, described()))
    assert "no interval here holds it" not in bare
    assert "runs were not tested against each other" in bare


def test_log_of_an_unknown_run_is_refused(tmp_path: Path) -> None:
    study = example_study()
    study["runs"] = study["runs"][:3]
    with pytest.raises(ValueError, match=r"no run of the study is called 'tiny-orpo-s1'"):
        build(tmp_path, study)


def test_report_without_logs_has_no_learning_figure(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, example_study()) | {"logs": []}
    out = tmp_path / "out"
    out.mkdir()
    main(Job(name="r", settings={"report": {}, "study": described()}, inputs=inputs, out=out))
    assert not (out / "figures" / "learning.svg").exists()
    assert "Loss while training" not in (out / "index.html").read_text(encoding="utf-8")


def test_holm_agrees_with_a_worked_example() -> None:
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
