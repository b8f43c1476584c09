"""What runs again after each edit of a small study, an audit tree of it, and its crate, validated.

``python tests/bench/staleness.py`` builds the study of ``tests/workflow/small_study.py`` on a tiny
model (23 jobs) and starts each edit of ``tests/workflow/test_staleness.py`` from there. The crate
is validated without a network, with ``tests/unit/offline_validator.py``.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / f"tests/{folder}") for folder in ("bench", "workflow", "unit")]

from offline_validator import PROFILE, fill_cache, issues_of  # noqa: E402
from packing import tiny  # noqa: E402
from small_study import CONFIG, ROOT, SmallStudy  # noqa: E402
from test_kept_results import touch_everything  # noqa: E402
from test_staleness import EDITS  # noqa: E402

STAGES = "models essays pairs finetune writing forms questionnaire judge gates metrics report"


def main() -> None:
    """Print the table, the tree and what the validator says."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        study = SmallStudy.make(PROJECT, base / "study", model=tiny(base), hub=base / "hub")
        jobs = len(study.run().worked)
        shutil.copytree(study.folder, base / "kept", symlinks=True)
        show_audit_and_crate(study, base)
        print(f"\n{'edit':34}{'hits':>5}{'not started':>13}  worked again")
        for name, apply in [
            ("everything touched", touch_everything),
            *((name, edit.apply) for name, edit in EDITS.items()),
        ]:
            shutil.rmtree(study.folder)
            shutil.copytree(base / "kept", study.folder, symlinks=True)
            apply(study)
            outcome = study.run()
            rest = jobs - len(outcome.worked) - len(outcome.hits)
            print(
                f"{name:34}{len(outcome.hits):5}{rest:13}  {in_words(outcome.worked)}", flush=True
            )


def show_audit_and_crate(study: SmallStudy, base: Path) -> None:
    """Print the audit of one run's metrics, and write and validate the study's crate."""
    result = f"{ROOT}/metrics/tiny-base.json"
    print(f"$ mimic audit {result}\n{study.mimic('audit', result).stdout}")
    crate = study.mimic("crate", "study.zip", "--configfile", CONFIG)
    print(f"$ mimic crate study.zip --configfile {CONFIG}\n{crate.stdout}{crate.stderr}")
    fill_cache(base / "cache")
    found = issues_of(study.folder / "study.zip", cache=base / "cache")
    print(f"roc-validator, {PROFILE}, REQUIRED: {len(found)} issues", *found, sep="\n")


def in_words(worked: frozenset[str]) -> str:
    """The jobs by stage: of a run its label without the model, of others what they are called."""
    by_stage: dict[str, list[str]] = {}
    for name in sorted(worked):
        stage, _, rest = name.partition(" ")
        run = re.search(r"tiny-([\w-]+)", rest)
        by_stage.setdefault(stage, []).append(run[1] if run else rest)
    parts = [" ".join([s, *by_stage[s]]).strip() for s in STAGES.split() if s in by_stage]
    return ", ".join(parts) or "nothing"


if __name__ == "__main__":
    main()
