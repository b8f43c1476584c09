"""A Slurm for the tests, and a copy of the project whose jobs it runs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_lab import SlurmLab, missing


@pytest.fixture(scope="session")
def lab() -> Iterator[SlurmLab]:
    """The cluster, up; a test is skipped where Slurm isn't installed."""
    if lacking := missing():
        pytest.skip(f"not installed here: {', '.join(lacking)} (tests/cluster/install.sh)")
    # Not below pytest's own folders: the path of a socket has at most 107 characters.
    # The last processes of a job that was cancelled may still write there in the end.
    with tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True) as folder:
        # munge wants its socket to be within everybody's reach.
        Path(folder).chmod(0o755)
        lab = SlurmLab(Path(folder))
        try:
            lab.up()
            yield lab
        finally:
            lab.down()


@pytest.fixture
def clone(project: Path, tmp_path: Path) -> Path:
    """A copy of the project as set-up leaves it, without results."""
    for name in ("workflow", "config", "profiles"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(project / name, tmp_path / "clone" / name, ignore=ignored)
    for name in ("Snakefile", "pyproject.toml"):
        shutil.copy2(project / name, tmp_path / "clone" / name)
    (tmp_path / "clone/meluxina").symlink_to("profiles/meluxina")
    return tmp_path / "clone"
