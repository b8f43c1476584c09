"""Packed trainings in a whole study: the same adapters, and failures that stay with their run."""

from pathlib import Path

import pytest
from small_study import CONFIG, ROOT, SmallStudy

RUNS = ("tiny-sft-s1", "tiny-sft-s2", "tiny-sft-other-s1")
TARGETS = [f"{ROOT}/finetune/{run}/manifest.json" for run in RUNS]
TRAININGS = {f"finetune {run}" for run in RUNS}
RECIPES = """\
  methods: [sft]
  seeds: [1, 2]
  recipes:
    other:
      methods: [sft]
      sft: {steps: 2, warmup_steps: 0, batch_size: 1, max_length: 96, learning_rate: 0.01}
"""
# A machine that fails one training, whatever its code and settings.
FAULT = """\
import json, os, pathlib, sys
if "mimic.finetune.sft" in sys.orig_argv and pathlib.Path("fault").exists():
    if json.loads(pathlib.Path(sys.orig_argv[-1]).read_text())["name"] == "finetune tiny-sft-s2":
        os.write(2, b"the device is lost\\n")
        os._exit(1)
"""


@pytest.mark.slow
def test_packed_trainings(project: Path, tiny_model: Path, tmp_path: Path) -> None:
    packed = SmallStudy.make(
        project, tmp_path / "packed", model=tiny_model.parent, hub=tmp_path / "hub"
    )
    packed.edit(CONFIG, "  methods: [sft, dpo]\n", RECIPES)
    alone = packed.copy(tmp_path / "alone")
    packed.edit(CONFIG, "  seeds: [1, 2]\n", "  seeds: [1, 2]\n  pack: 3\n")
    packed.write("shadow/sitecustomize.py", FAULT)
    packed.write("fault", "")

    # One fails, and fails only its own run.
    first = packed.run(*TARGETS, fails=True)
    others = TRAININGS - {"finetune tiny-sft-s2"}
    assert TRAININGS & first.worked == others == TRAININGS & first.hits
    assert "[finetune tiny-sft-s2] the device is lost" in first.output
    assert "[finetune tiny-sft-s2] failed in its pack after" in first.output
    assert "the device is lost" in packed.read(f"{ROOT}/logs/finetune/tiny-sft-s2.log")
    assert "loss on 10 validation" in packed.read(f"{ROOT}/logs/finetune/tiny-sft-s1.log")
    assert not (packed.folder / ROOT / "finetune/tiny-sft-s2").exists()
    assert (packed.folder / ROOT / "finetune/tiny-sft-s1/manifest.json").is_file()
    why = packed.mimic("why", *TARGETS, "--configfile", CONFIG)
    assert "finetune tiny-sft-s2: runs\n" in why.stdout
    assert "1 would run, 2 linked from the store" in why.stdout

    # Mended, the next invocation trains what is missing.
    (packed.folder / "fault").unlink()
    second = packed.run(*TARGETS)
    assert second.worked == {"finetune tiny-sft-s2"}
    assert packed.run(*TARGETS).nothing
    assert not (packed.folder / ROOT / "finetune/.packs").exists()

    # The same bytes as trained one by one, and records that an audit follows.
    assert alone.run(*TARGETS).worked >= TRAININGS
    assert packed.results() == alone.results()
    audit = packed.mimic("audit", TARGETS[1])
    assert audit.returncode == 0, audit.stdout + audit.stderr
    clean = packed.mimic("clean", "--stale", "--configfile", CONFIG)
    assert "nothing in results/small is stale" in clean.stdout

    # A changed member is trained again, and no other.
    packed.edit(CONFIG, "learning_rate: 0.01}", "learning_rate: 0.03}")
    third = packed.run(*TARGETS)
    assert third.worked == {"finetune tiny-sft-other-s1"}
    assert packed.run(*TARGETS).nothing
