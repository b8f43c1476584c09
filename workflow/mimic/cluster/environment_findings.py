"""What `mimic doctor` finds of Python, of what is installed for it, and of what can use a GPU."""

from __future__ import annotations

import importlib.util
import platform
import runpy
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from mimic.cluster.finding import MISSING, OK, UNCHECKED, Finding
from mimic.provenance.environment import PYPROJECT
from mimic.provenance.fingerprint import PACKAGE_ROOT

CPU_LOCK, GPU_LOCK = Path("envs/cpu.txt"), Path("envs/gpu.txt")
EMBEDDED_LOCK = Path("envs/embedded.txt")
BUILD = "bash envs/build_gpu.sh FOLDER builds it; then `. FOLDER/bin/activate`"
FLASH = "flash_attention_2"
SHOWN = 5


def environment_findings(settings: dict[str, Any]) -> Iterator[Finding]:
    """Python, the packages of the lock, the package itself, and torch's build.

    Parameters
    ----------
    settings
        Of the study, as plain values.
    """
    yield _python()
    yield _lock()
    yield _package()
    yield _torch()
    if _names(settings, FLASH):
        yield _flash_attention()


def read_pins(path: Path) -> dict[str, str]:
    """Name → version of a lock's lines, those of the locks that it includes among them.

    Raises
    ------
    ValueError
        If a lock can't be read, or a line pins no version.
    """
    pins: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"{path}: can't be read ({error.strerror})") from None
    for line in lines:
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            pins |= read_pins(path.parent / text.removeprefix("-r ").strip())
        elif text:
            requirement = Requirement(text)
            pinned = [one.version for one in requirement.specifier if one.operator == "=="]
            if len(requirement.specifier) != 1 or not pinned:
                raise ValueError(f"{path}: {text}: pin one version, by ==")
            pins[canonicalize_name(requirement.name)] = pinned[0]
    return pins


def _python() -> Finding:
    wanted = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["requires-python"]
    here = platform.python_version()
    found = f"{here} ({sys.executable})"
    if SpecifierSet(wanted).contains(here, prereleases=True):
        return Finding(what="Python", state=OK, found=found)
    return Finding(what="Python", state=MISSING, found=f"{found}; {wanted} is wanted", mend=BUILD)


def _lock() -> Finding:
    """Whether what is installed is what the lock says."""
    lock = _torch_lock()
    what = f"{lock} and {EMBEDDED_LOCK}"
    try:
        pins = read_pins(lock) | read_pins(EMBEDDED_LOCK)
    except ValueError as error:
        return Finding(what=what, state=UNCHECKED, found=str(error))
    differing = []
    for name, version in sorted(pins.items()):
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            differing.append(f"no {name}")
            continue
        # 2.13.0+cu130 is a build of 2.13.0.
        if Version(installed).public != Version(version).public:
            differing.append(f"{name} {installed}, not {version}")
    if not differing:
        return Finding(what=what, state=OK, found=f"{len(pins)} packages as locked")
    more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
    return Finding(what=what, state=MISSING, found=", ".join(differing[:SHOWN]) + more, mend=BUILD)


def _torch_lock() -> Path:
    """The lock that fits the installed torch: that of GPUs pins the CUDA of PyPI's build."""
    try:
        other_build = Version(metadata.version("torch")).local is not None
    except metadata.PackageNotFoundError:
        other_build = False
    return CPU_LOCK if other_build else GPU_LOCK


def _package() -> Finding:
    """Whether jobs would run the code of this folder: they run what the environment has."""
    here = Path("workflow").resolve()
    if here == PACKAGE_ROOT:
        return Finding(what="package mimic", state=OK, found=str(here))
    found = f"{PACKAGE_ROOT}, not {here}"
    mend = "each clone has an environment of its own: " + BUILD
    return Finding(what="package mimic", state=MISSING, found=found, mend=mend)


def _torch() -> Finding:
    """Whether torch was built for GPUs; it isn't imported, since that takes a login node's time."""
    what = "torch for GPUs"
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return Finding(what=what, state=MISSING, found="there is no torch", mend=BUILD)
    try:
        build = runpy.run_path(str(Path(spec.origin).with_name("version.py")))
    except OSError as error:
        return Finding(what=what, state=UNCHECKED, found=f"torch's version.py: {error.strerror}")
    version, cuda = build.get("__version__"), build.get("cuda")
    if cuda is None:
        found = f"{version} was built for CPUs alone"
        return Finding(what=what, state=MISSING, found=found, mend=BUILD)
    found = (
        f"{version}, built with CUDA {cuda}; whether a node's driver takes it, the job that built "
        "the environment has printed"
    )
    return Finding(what=what, state=OK, found=found)


def _flash_attention() -> Finding:
    what = "flash-attn"
    try:
        version = metadata.version(what)
    except metadata.PackageNotFoundError:
        found = f"not installed, and the study sets attention: {FLASH}"
        mend = (
            "build it (docs/meluxina.md), or set attention to sdpa, for Gemma 2 to eager, in "
            "the study's settings"
        )
        return Finding(what=what, state=MISSING, found=found, mend=mend)
    return Finding(what=what, state=OK, found=version)


def _names(settings: Any, value: str) -> bool:
    """Whether some setting, however deep, has the value."""
    if isinstance(settings, dict):
        return any(_names(inner, value) for inner in settings.values())
    if isinstance(settings, list | tuple):
        return any(_names(inner, value) for inner in settings)
    return bool(settings == value)
