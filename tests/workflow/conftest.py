"""What the tests of the workflow share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_study import SmallStudy, set_back


@pytest.fixture(scope="session")
def built(
    project: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SmallStudy, Path]:
    """The study, built, and a copy of all that belongs to it."""
    base = tmp_path_factory.mktemp("small")
    study = SmallStudy.make(project, base / "study", model=tiny_model.parent, hub=base / "hub")
    outcome = study.run()
    assert len(outcome.worked) == 23, sorted(outcome.worked)
    shutil.copytree(study.folder, base / "kept", symlinks=True)
    return study, base / "kept"


@pytest.fixture
def study(built: tuple[SmallStudy, Path]) -> SmallStudy:
    """The study as it was built: the folder copied back, at another time than its results say."""
    return set_back(*built)
