"""The fingerprint of a step: what changes it, and what it follows."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mimic.provenance import fingerprint
from mimic.provenance.fingerprint import step_code

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a module of a made-up package and forgets what was read before."""
    monkeypatch.setattr(fingerprint, "PACKAGE_ROOT", tmp_path)

    def write_module(name: str, code: str) -> None:
        path = tmp_path / "mimic" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in path.parent, tmp_path / "mimic":
            if not (folder / "__init__.py").exists():
                (folder / "__init__.py").write_text("")
        path.write_text(code)
        fingerprint.forget()

    yield write_module
    fingerprint.forget()


BEFORE = '''"""A step."""

RATE = 0.5


class Box:
    """Holds."""

    size = 3


def main(job):
    """Do it."""
    return {"rate": RATE, "none": None}
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A step."""', '"""Another docstring."""'),
        ('"""A step."""\n', ""),
        ('    """Do it."""\n', ""),
        ('    """Holds."""\n', '    """Holds\n    more."""\n'),
        ("RATE = 0.5", "# why\nRATE = 0.5  # half"),
        ("RATE = 0.5", "RATE = (\n    0.50\n)"),
        ('{"rate": RATE, "none": None}', "{'rate': RATE,\n            'none': None,}"),
    ],
)
def test_words_and_layout_do_not_count(write: Write, old: str, new: str) -> None:
    write("step", BEFORE)
    before = step_code("step")
    assert old in BEFORE
    write("step", BEFORE.replace(old, new, 1))
    assert step_code("step") == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RATE = 0.5", "RATE = 0.25"),
        ("size = 3", "size = 3.0"),
        ("size = 3", "size = '3'"),
        ("None}", "False}"),
        ('"rate": RATE', '"rates": RATE'),
        ("def main(job)", "def main(job=None)"),
        ("RATE = 0.5", "RATE = 0.5\n'''Not the docstring.'''"),
    ],
)
def test_code_counts(write: Write, old: str, new: str) -> None:
    write("step", BEFORE)
    before = step_code("step")
    write("step", BEFORE.replace(old, new, 1))
    after = step_code("step")
    assert after["mimic.step"] != before["mimic.step"]
    assert after["mimic"] == before["mimic"]


@pytest.mark.parametrize(
    "code",
    [
        "import mimic.stage.helper",
        "import mimic.stage.helper as h",
        "from mimic.stage import helper",
        "from mimic.stage.helper import x",
        "from . import helper",
        "from .helper import x",
        "from ..stage.helper import x",
        "if True:\n    from mimic.stage import helper",
        "try:\n    import json\nexcept ImportError:\n    from . import helper",
        "def main():\n    from mimic.stage.helper import x",
        "class A:\n    def f(self):\n        import mimic.stage.helper",
    ],
)
def test_every_way_of_importing_is_followed(write: Write, code: str) -> None:
    write("stage/helper", "x = 1")
    write("stage/step", code)
    assert list(step_code("stage.step")) == [
        *("mimic", "mimic.stage", "mimic.stage.helper", "mimic.stage.step")
    ]


def test_a_module_that_is_imported_by_another_counts(write: Write) -> None:
    write("deep", "DEPTH = 1")
    write("middle", "from mimic import deep\nfrom mimic import step  # in a circle")
    write("step", "import mimic.middle")
    write("unused", "x = 1")
    before = step_code("step")
    assert "mimic.unused" not in before
    write("deep", "DEPTH = 2")
    after = step_code("step")
    assert {name for name in after if after[name] != before[name]} == {"mimic.deep"}


def test_what_runs_on_import_of_a_package_counts(write: Write, tmp_path: Path) -> None:
    write("stage/step", "x = 1")
    before = step_code("stage.step")
    write("stage/__init__", "SETTING = 1")
    assert step_code("stage.step")["mimic.stage"] != before["mimic.stage"]


def test_other_distributions_are_no_part_of_it(write: Write) -> None:
    write("step", "import json\nfrom mimicry import x\nfrom mimic import not_a_module")
    assert set(step_code("step")) == {"mimic", "mimic.step"}


@pytest.mark.parametrize(
    "code",
    [
        "import importlib\n\nm = importlib.import_module(name)",
        "x = 1\n\nm = __import__(name)",
        "\n\nfrom importlib import import_module as get",
        "import importlib\n\nms = list(map(importlib.import_module, names))",
        "import importlib.util\n\nm = importlib.util.module_from_spec(found)",
        "import importlib\n\nfound.loader.exec_module(m)",
        "import importlib\n\nm = loader.load_module()",
        "import runpy\n\nvalues = runpy.run_path(path)",
        "import runpy\n\nvalues = runpy.run_module(name)",
        "\n\nfrom runpy import run_path as run",
        "text = open(path).read()\n\nexec(text)",
    ],
)
def test_a_dynamic_import_is_refused_with_file_and_line(
    write: Write, tmp_path: Path, code: str
) -> None:
    write("helper", code)
    write("step", "import mimic.helper")
    with pytest.raises(ValueError, match="plain import statement") as caught:
        step_code("step")
    assert f"{tmp_path / 'mimic' / 'helper.py'}:3: " in str(caught.value)


def test_a_missing_module_is_named(write: Write) -> None:
    write("step", "")
    with pytest.raises(ValueError, match=r"no module mimic\.stage\.stpe"):
        step_code("stage.stpe")


def test_no_step_depends_on_the_study_or_on_provenance(project: Path) -> None:
    stages = [path.parent for path in (project / "workflow/mimic").glob("*/settings.py")]
    assert len(stages) >= 10
    for stage in stages:
        for path in stage.glob("*.py"):
            if "run_step(main)" not in path.read_text():
                continue
            modules = set(step_code(f"{stage.name}.{path.stem}"))
            assert not [name for name in modules if name.startswith("mimic.provenance")], path
            assert "mimic.study" not in modules, path
            others = {name for name in modules if name.endswith(".settings")}
            assert others <= {f"mimic.{stage.name}.settings", "mimic.settings"}, path


def other_pythons() -> list[str]:
    """The Pythons of other versions that are installed here, where their users keep them."""
    found = []
    for minor in (11, 12, 13):
        name = f"python3.{minor}"
        kept = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/{name}"))
        for path in [*map(str, kept), shutil.which(name)]:
            if path is not None and sys.version_info[1] != minor:
                command = [path, "-c", "import sys; print(sys.version_info[1])"]
                told = subprocess.run(command, capture_output=True, text=True)
                if told.stdout.strip() == str(minor):
                    found.append(path)
                    break
    return found


def test_other_versions_of_python_give_the_same_fingerprints(project: Path) -> None:
    if not (pythons := other_pythons()):
        pytest.skip("no other Python of 3.11 to 3.13 is installed")
    # Only what the fingerprint itself needs; nothing of the environment.
    code = (
        "import json; from mimic.provenance.fingerprint import all_steps, step_code; "
        "print(json.dumps({step: step_code(step) for step in all_steps()}))"
    )
    mine = {step: step_code(step) for step in fingerprint.all_steps()}
    assert len(mine) > 10
    for python in pythons:
        told = subprocess.run(
            [python, "-c", code],
            env={"PYTHONPATH": str(project / "workflow"), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(told.stdout) == mine, python
