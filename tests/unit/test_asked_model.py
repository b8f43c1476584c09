"""What the identity of a kept answer covers."""

import dataclasses
import re

import pytest

from mimic.forms.authored import Form
from mimic.provenance.fingerprint import step_code
from mimic.questionnaire import ask, rows
from mimic.questionnaire.instruments import Item
from mimic.questionnaire.subjects import Subject
from mimic.respondents import ANSWERING_CODE
from mimic.respondents.asked_model import answers_folder
from mimic.respondents.store import AnswerStore
from mimic.respondents.tree import Question
from mimic.traits import Profile


@pytest.mark.parametrize("kind", ["likelihood", "generation"])
def test_the_code_of_an_answer_loads_the_model_and_is_little_else(kind):
    code = {name for module in ANSWERING_CODE[kind] for name in step_code(module)}
    assert {"mimic.compute", f"mimic.respondents.{kind}"} <= code
    if kind == "likelihood":
        assert {"mimic.respondents.attention", "mimic.respondents.tree"} <= code
    others = {"likelihood": "generation", "generation": "likelihood"}
    assert f"mimic.respondents.{others[kind]}" not in code
    # What is edited often and changes no answer.
    assert not {"mimic.files", "mimic.step", "mimic.study", "mimic.respondents.store"} & code
    assert not any(name.startswith("mimic.questionnaire") for name in code)


def test_the_rules_take_these_modules(project):
    rules = (project / "workflow/rules/common.smk").read_text(encoding="utf-8")
    for name, kind in (("ENGINE_CODE", "likelihood"), ("GENERATOR_CODE", "generation")):
        assert re.search(rf'^{name} = .*ANSWERING_CODE\["{kind}"\]', rules, re.MULTILINE)


def test_another_model_adapter_engine_code_or_precision_has_another_folder(make_job, tmp_path):
    files = {}
    for name in ("model", "other_model", "adapter", "other_adapter"):
        files[name] = tmp_path / f"{name}.json"
        files[name].write_text(name)
    settings = {"engine_code": ["1", "2"], "compute": {"precision": "float32"}}
    plain = dataclasses.replace(
        make_job(settings=settings, inputs={"model": files["model"], "adapter": []}),
        answers=tmp_path,
    )

    def changed(engine="shared_prefix", inputs=None, of_profile="", **values):
        inputs = {name: [files[file]] for name, file in (inputs or {}).items()}
        job = dataclasses.replace(
            plain, settings=plain.settings | values, inputs=plain.inputs | inputs
        )
        adapter = job.folder("adapter") if job.inputs["adapter"] else None
        return answers_folder(job, engine=engine, adapter=adapter and adapter / of_profile)

    folders = [
        changed(),
        changed(engine="one_prompt"),
        changed(engine_code=["1", "3"]),
        changed(compute={"precision": "bfloat16"}),
        changed(inputs={"model": "other_model"}),
        changed(inputs={"adapter": "adapter"}),
        changed(inputs={"adapter": "other_adapter"}),
        changed(inputs={"adapter": "adapter"}, of_profile="adapters/O+C+E+A+N+"),
        changed(inputs={"adapter": "adapter"}, of_profile="adapters/O-C+E+A+N-"),
    ]
    assert len(set(folders)) == len(folders)
    assert changed() == folders[0]


def test_answers_are_kept_as_they_come(tmp_path):
    class Interrupted:
        def answer(self, questions):
            yield {1: [0.1] * 5}
            raise KeyboardInterrupt

    questions = [Question((5,), (6,), (ending,), (((8,),),) * 5) for ending in (7, 8, 9)]
    asked = [rows.Asked(None, None, None, 0, question) for question in questions]
    with pytest.raises(KeyboardInterrupt), AnswerStore(tmp_path, rows.OPTIONS) as store:
        list(ask.answered(Interrupted(), store, asked))
    with AnswerStore(tmp_path, rows.OPTIONS) as store:
        keys = [ask.question_key(question) for question in questions]
        assert store.missing(keys) == [keys[0], keys[2]]
        assert list(store.get(keys[1])) == [0.1] * 5


def test_a_cell_without_mass_is_flagged_and_does_not_end_the_job(capsys):
    form = Form("f", "digits", "fits", "published", "", "Answer: ", tuple("12345"))
    item = Item(id="i", text="Hum", trait="openness", keyed="minus", cluster="hum")
    subject = Subject("O+C-E+A-N+", Profile.parse("O+C-E+A-N+"), "")
    question = Question((5,), (6,), (7,), (((8,),),) * 5, name="of item i")
    row = rows.row_of(rows.Asked(subject, form, item, 0, question), [0.0] * 5)
    assert (row["mass"], row["raw"], row["y"]) == (0.0, 3.0, 3.0)
    assert "no mass on any option for the prompt of item i" in capsys.readouterr().out
