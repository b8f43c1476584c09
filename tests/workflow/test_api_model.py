"""A study of a local model, one that an API serves, and one that it no longer serves."""

import json
import re
from pathlib import Path

import pytest
from chat_server import KEY, MODEL, NOT_FOUND, VARIABLE, ChatServer
from small_study import CONFIG, ROOT, SmallStudy

RETIRED = "gpt-test-0301"


@pytest.mark.slow
def test_answers_of_an_api_stand_beside_a_local_model_s_and_a_retired_one_s_cell_is_empty(
    project: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = SmallStudy.make(
        project, tmp_path / "study", model=tiny_model.parent, hub=tmp_path / "hub"
    )
    study.edit(CONFIG, "models: [tiny]", "models: [retired, served, tiny]")
    study.edit(CONFIG, "methods: [sft, dpo]", "methods: []")
    study.edit(
        CONFIG,
        "  contexts: [none]\n",
        "  contexts: [none, own]\n  protocols: [likelihood, released, corrected]\n"
        "  generation: {max_tokens: 4}\n",
    )
    monkeypatch.setenv(VARIABLE, KEY)
    gone = json.loads(json.dumps(NOT_FOUND).replace(MODEL, RETIRED))
    with ChatServer(lambda body: (404, {}, gone) if body["model"] == RETIRED else None) as server:
        models = study.read("config/models.yaml")
        for name, model in (("served", MODEL), ("retired", RETIRED)):
            entry = {"title": name, "license": "none", "aligned": "aligned"}
            models += f"{name}: {json.dumps(entry | {'source': server.source(id=model)})}\n"
        study.write("config/models.yaml", models)
        first = study.run()
        asked = len(server.asked)
    assert "writing retired-base" in first.worked
    assert not any("questionnaire served-base, context" in job for job in first.worked)

    found = json.loads(study.read(f"{ROOT}/metrics/study.json"))
    runs = {run["run"]: run for run in found["runs"]}
    assert list(runs) == ["tiny-base", "retired-base", "served-base"]
    for name in ("served-base", "retired-base"):
        assert runs[name]["questionnaire"] == {}
    served, retired = runs["served-base"], runs["retired-base"]
    assert served["generated"]["own"]["protocols"]["corrected"]["parsed"] > 0.5
    assert served["texts"]["texts"] == 16 and served["api"] == {"texts": None}
    assert retired["texts"]["texts"] == 0 and RETIRED in retired["api"]["texts"]
    assert RETIRED in retired["generated"]["none"]["not_served"]
    assert "no texts of its own" in retired["generated"]["own"]["not_served"]

    page = study.read(f"{ROOT}/report/index.html")
    plain = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "An API serves this model, and gives no probabilities of the options." in plain
    assert f"doesn&#39;t serve {RETIRED}: The model `{RETIRED}` does not exist" in plain
    assert "No other model stands in for it." in plain
    rows = [row for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL) if "retired-base" in row]
    assert len(rows) >= 4 and all("–" in row for row in rows)

    # Everything is there: nothing is asked, and no key is needed.
    monkeypatch.delenv(VARIABLE)
    assert study.run().nothing
    assert len(server.asked) == asked
    for path in study.folder.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
