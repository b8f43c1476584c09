"""Which jobs ask in training wordings: those of runs that trained on items, and no others."""

import re

import pytest
from test_smoke import copy_of, snakemake

SETTINGS = """\
root: results/items
finetune:
  methods: [sft]
  data: [essays, essays-q-ideal]
  recipes:
    half: {methods: [dpo], data: [essays-q-random], pairs: {items: published}, null_adapters: 1}
questionnaire: {contexts: [human, own, none]}
"""


def planned(folder, *arguments):
    """Number of jobs by rule, and what a dry run says."""
    output = snakemake(folder, *arguments, "--dry-run")
    jobs = {name: int(n) for name, n in re.findall(r"^([a-z_]+) +(\d+)$", output, re.MULTILINE)}
    return jobs, output


@pytest.mark.slow
def test_only_runs_that_trained_on_items_are_asked_in_training_wordings(project, tmp_path):
    folder = copy_of(project, tmp_path)
    for arguments in ((), ("--configfile", "config/smoke.yaml")):
        jobs, output = planned(folder, *arguments)
        # Four runs in two contexts.
        assert (jobs["forms"], jobs["questionnaire"]) == (1, 8)
        assert "seen" not in jobs and "/seen/" not in output
    (folder / "config/items.yaml").write_text(SETTINGS)
    jobs, output = planned(folder, "--configfile", "config/items.yaml")
    # Four runs in three contexts, a null adapter in one, two runs once more.
    assert (jobs["forms_seen"], jobs["questionnaire"]) == (2, 4 * 3 + 1 + 2)
    places = set(re.findall(r"questionnaire/seen/(\w+)/([\w-]+)/manifest.json", output))
    assert places == {
        ("none", "smollm2-sft-q-ideal-s1"),
        ("none", "smollm2-dpo-half-q-random-s1"),
    }
    asked_with = re.findall(
        r"Reason: Missing output files: results/items/(questionnaire/seen\S+); (.+)", output
    )
    kinds = {place: re.findall(r"forms/seen/(\w+)/forms.json", why) for place, why in asked_with}
    assert kinds == {
        "questionnaire/seen/none/smollm2-sft-q-ideal-s1/manifest.json": ["train"],
        "questionnaire/seen/none/smollm2-dpo-half-q-random-s1/manifest.json": ["published"],
    }
