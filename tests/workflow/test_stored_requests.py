"""What jobs ask of a Slurm machine where the store has their results: no node with GPUs."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from small_study import CONFIG, ROOT, SmallStudy

ADAPTERS = [f"{ROOT}/finetune/tiny-sft-s{seed}/manifest.json" for seed in (1, 2)]
ANSWERS = f"{ROOT}/questionnaire/none/tiny-sft-s1/manifest.json"


def asked(study: SmallStudy, *targets: str) -> dict[str, set[tuple[str, ...]]]:
    """Partition, GPUs if any, and minutes that the jobs of each rule would ask for."""
    looked = study.run(*targets, "--dry-run", "--config", "site=profiles/slurm/site.yaml")
    found: dict[str, set[tuple[str, ...]]] = {}
    for rule, resources in re.findall(
        r"^rule (\w+):.*?resources: (.*?)$", looked.output, re.M | re.S
    ):
        told = dict(one.split("=") for one in resources.split(", "))
        words = [told["slurm_partition"], *([told["gpu"]] if "gpu" in told else [])]
        found.setdefault(rule, set()).add((*words, told["runtime"]))
    return found


def forget(study: SmallStudy, run: str) -> None:
    """Remove an adapter from the store, as its note names it."""
    note = json.loads(study.read(f"{ROOT}/.identities/finetune__{run}__manifest.json.json"))
    shutil.rmtree(study.folder / "store" / note["identity"])


@pytest.mark.slow
def test_what_is_stored_asks_for_no_gpu(study: SmallStudy) -> None:
    # Of a job with a message Snakemake shows no resources.
    for path in (study.folder / "workflow/rules").glob("*.smk"):
        path.write_text(re.sub(r" {4}message:\n.*\n", "", path.read_text()))
    linking = ("cpu", "15")
    shutil.rmtree(study.folder / ANSWERS.rpartition("/")[0])
    assert asked(study, ANSWERS) == {"questionnaire": {linking}}
    shutil.rmtree(study.folder / ROOT / "finetune")
    before = asked(study, ANSWERS)
    assert before["finetune"] == {linking}
    # Nobody knows yet what the answers are made from.
    ((partition, gpus, _),) = before["questionnaire"]
    assert (partition, gpus) == ("gpu", "1")
    forget(study, "tiny-sft-s1")
    ((partition, gpus, minutes),) = asked(study, ADAPTERS[0])["finetune"]
    assert (partition, gpus) == ("gpu", "1")
    assert minutes != "15"

    # A pack asks for no GPU where the store has each of its runs.
    study.edit(CONFIG, "  methods: [sft, dpo]\n", "  methods: [sft]\n  seeds: [1, 2]\n  pack: 2\n")
    study.run(*ADAPTERS)
    shutil.rmtree(study.folder / ROOT / "finetune")
    assert asked(study, *ADAPTERS) == {"pack": {linking}, "finetune": {linking}}
    forget(study, "tiny-sft-s2")
    ((partition, gpus, _),) = asked(study, *ADAPTERS)["pack"]
    assert (partition, gpus) == ("gpu", "2")
