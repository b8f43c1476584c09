"""What tests of the gates share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mimic.questionnaire.instruments import load_instrument


@pytest.fixture(scope="module")
def instruments(project: Path) -> dict[str, Any]:
    paths = (project / "config/instruments").glob("*.yaml")
    return {path.stem: load_instrument(path) for path in paths}


@pytest.fixture(scope="module")
def neo(instruments: dict[str, Any]) -> Any:
    return instruments["ipip_neo_120"]
