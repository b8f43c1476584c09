"""The distributions that a group of steps needs."""

from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mimic.provenance import environment
from mimic.provenance.environment import group_digest, group_versions


def forget() -> None:
    group_versions.cache_clear()
    group_digest.cache_clear()


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    forget()
    yield
    forget()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Makes up a project and what is installed: name → (version, requirements)."""

    def make(group: list[str], distributions: dict[str, tuple[str, list[str]]]) -> None:
        listed = ", ".join(f"'{text}'" for text in group)
        (tmp_path / "pyproject.toml").write_text(
            f"[project]\ndependencies = []\n[project.optional-dependencies]\ndata = [{listed}]\n"
        )

        def distribution(name: str) -> tuple[str, tuple[Requirement, ...]]:
            if name not in distributions:
                raise metadata.PackageNotFoundError(name)
            version, requires = distributions[name]
            return version, tuple(map(Requirement, requires))

        monkeypatch.setattr(environment, "PYPROJECT", tmp_path / "pyproject.toml")
        monkeypatch.setattr(environment, "_distribution", distribution)
        forget()

    return make


def test_the_groups_of_the_project() -> None:
    groups = {name: group_versions(name) for name in ("data", "train", "measure", "report")}
    assert groups["train"]["torch"] == metadata.version("torch")
    assert groups["train"]["peft"] == metadata.version("peft")
    assert "torch" not in groups["report"]
    assert [name for name, found in groups.items() if "matplotlib" in found] == ["report"]
    # Every step reads its settings; nothing is named that only others need.
    assert all("pydantic-core" in found for found in groups.values())
    assert not any("snakemake" in found or "pytest" in found for found in groups.values())
    assert len({group_digest(name) for name in groups}) == 4


def test_what_is_needed_in_turn_counts(installed: Callable[..., None]) -> None:
    distributions = {
        "top": ("1", ["Middle_Part>=2"]),
        "middle-part": ("2", ["deep; python_version >= '3'", "old; python_version < '3'"]),
        "deep": ("3", ["top"]),
        "old": ("4", []),
        "other": ("5", []),
    }
    installed(["top"], distributions)
    assert group_versions("data") == {"deep": "3", "middle-part": "2", "top": "1"}
    before = group_digest("data")
    installed(["top"], {**distributions, "other": ("6", [])})
    assert group_digest("data") == before
    installed(["top"], {**distributions, "deep": ("3.1", ["top"])})
    assert group_digest("data") != before


@pytest.mark.parametrize("group", [["plain", "wants"], ["wants", "plain"], ["plain", "part[fast]"]])
def test_extras_count_whoever_asks_first(installed: Callable[..., None], group: list[str]) -> None:
    installed(
        group,
        {
            "plain": ("1", ["part"]),
            "wants": ("1", ["part[fast]"]),
            "part": ("1", ["speed; extra == 'fast'", "looks; extra == 'pretty'"]),
            "speed": ("1", []),
            "looks": ("1", []),
        },
    )
    assert "speed" in group_versions("data")
    assert "looks" not in group_versions("data")


def test_a_requirement_of_another_platform_may_be_absent(installed: Callable[..., None]) -> None:
    installed(["top"], {"top": ("1", ["absent"])})
    assert group_versions("data") == {"top": "1"}


def test_a_direct_requirement_that_is_absent_is_named(installed: Callable[..., None]) -> None:
    installed(["torch>=2.9"], {})
    with pytest.raises(ValueError, match=r"torch>=2\.9 is not installed; run `make install`"):
        group_versions("data")


def test_an_unknown_group_lists_the_groups() -> None:
    with pytest.raises(ValueError, match=r"no group 'trian' in pyproject\.toml.*data, train"):
        group_versions("trian")
