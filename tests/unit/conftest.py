"""What tests of the gates share, and those of a made-up study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_up_study import build

from mimic.provenance.store import Store
from mimic.questionnaire.instruments import load_instrument


@pytest.fixture(scope="module")
def instruments(project: Path) -> dict[str, Any]:
    paths = (project / "config/instruments").glob("*.yaml")
    return {path.stem: load_instrument(path) for path in paths}


@pytest.fixture(scope="module")
def neo(instruments: dict[str, Any]) -> Any:
    return instruments["ipip_neo_120"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store of a project in a folder of its own, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MIMIC_STORE", raising=False)
    return Store(Path("results/.store"))


@pytest.fixture
def made(store: Store) -> dict[str, str]:
    """The identities of the made-up study's results, by rule."""
    return build(store)
