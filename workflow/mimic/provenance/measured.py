"""What the processes of a step measured of themselves, as one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from mimic.files import read_json


def forget_measured(folder: Path) -> None:
    """Remove what a former attempt measured."""
    shutil.rmtree(folder, ignore_errors=True)


def read_measured(folder: Path) -> dict[str, Any]:
    """Put together what each process measured, whose files are named by its number.

    Returns
    -------
    dict
        Peaks of GPU memory in the order of the processes, and the folders of answers that any of
        them opened, sorted; without what none of them says.
    """
    found = sorted(folder.glob("*.json"), key=lambda path: int(path.stem))
    parts = [read_json(path) for path in found]
    peaks = [peak for part in parts for peak in part.get("peak_gpu_memory_mb", [])]
    answers = {name for part in parts for name in part.get("answers", [])}
    return {
        **({"peak_gpu_memory_mb": peaks} if peaks else {}),
        **({"answers": sorted(answers)} if answers else {}),
    }
