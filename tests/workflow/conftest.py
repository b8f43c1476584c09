"""What the tests of the workflow share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock
from small_study import SmallStudy, set_back


@pytest.fixture(scope="session")
def built(
    project: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SmallStudy, Path]:
    """The study, built, and a copy of all that belongs to it.

    Processes that share the tests build it once, and each works in a copy.
    """
    own = tmp_path_factory.mktemp("small")
    base = tmp_path_factory.getbasetemp()
    kept = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kept"
    with FileLock(kept.with_suffix(".lock")):
        if not kept.is_dir():
            model, hub = tiny_model.parent, kept.with_name("hub")
            made = SmallStudy.make(project, own / "made", model=model, hub=hub)
            outcome = made.run()
            assert len(outcome.worked) == 23, sorted(outcome.worked)
            made.folder.rename(kept)
    study = SmallStudy(own / "study", kept.with_name("hub"))
    study.folder.mkdir()
    return study, kept


@pytest.fixture
def study(built: tuple[SmallStudy, Path]) -> SmallStudy:
    """The study as it was built: the folder copied back, at another time than its results say."""
    return set_back(*built)
