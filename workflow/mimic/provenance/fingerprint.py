"""The code that a step consists of: its module and the project modules that it imports.

A module's digest comes from an own walk of its syntax tree (node type, field name, value), because
``ast.dump`` differs between Python versions. Comments, layout and docstrings don't count.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from pathlib import Path

from mimic.files import sha256_file

PACKAGE = "mimic"
PACKAGE_ROOT = Path(__file__).resolve().parents[2]

# These functions run code of a module that the walk can't see.
_DYNAMIC = {
    *("import_module", "__import__", "module_from_spec", "exec_module", "load_module"),
    *("run_module", "run_path", "exec"),
}
_STEP = re.compile(r"^(    )?run_step\(", flags=re.MULTILINE)


@functools.cache
def step_code(step: str) -> dict[str, str]:
    """Digest of each project module that `step` is made of.

    Parameters
    ----------
    step
        Module name below the package, such as ``finetune.sft``.

    Returns
    -------
    dict
        Module name → 16 hexadecimal digits, sorted by name.

    Raises
    ------
    ValueError
        If the module doesn't exist, or one of them imports dynamically.
    """
    waiting = [f"{PACKAGE}.{step}"]
    found: dict[str, str] = {}
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        digest, imports = _module(module)
        found[module] = digest
        waiting.extend(imports)
        # Importing a.b.c runs a and a.b as well.
        parts = module.split(".")
        waiting.extend(".".join(parts[:n]) for n in range(1, len(parts)))
    return dict(sorted(found.items()))


def step_files(step: str) -> dict[str, dict[str, str]]:
    """The file of each module of `step_code`, and the sha256 of its bytes.

    Returns
    -------
    dict
        Module name → ``file`` (below the project's folder) and ``sha256``.
    """
    found = {}
    for module in step_code(step):
        path = _file_of(module)
        assert path is not None  # step_code found it
        name = path.relative_to(PACKAGE_ROOT.parent).as_posix()
        found[module] = {"file": name, "sha256": sha256_file(path)}
    return found


def module_bytes(module: str) -> str | None:
    """The sha256 of a module's file; None if there is no such module."""
    path = _file_of(module)
    return None if path is None else sha256_file(path)


def all_steps() -> list[str]:
    """The modules of the package that are steps: those that end by calling `run_step`."""
    package = PACKAGE_ROOT / PACKAGE
    found = []
    for path in sorted(package.rglob("*.py")):
        if _STEP.search(path.read_text(encoding="utf-8")):
            found.append(".".join(path.relative_to(package).with_suffix("").parts))
    return found


def forget() -> None:
    """Forget what was read, so that the next digest is of the files as they are then."""
    _module.cache_clear()
    step_code.cache_clear()


def _file_of(module: str) -> Path | None:
    base = PACKAGE_ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@functools.cache
def _module(module: str) -> tuple[str, tuple[str, ...]]:
    path = _file_of(module)
    if path is None:
        raise ValueError(f"there is no module {module} below {PACKAGE_ROOT}")
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    hasher = hashlib.sha256()
    _hash_node(tree, hasher)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return hasher.hexdigest()[:16], tuple(_imports(tree, package=package, path=path))


def _hash_node(value: object, hasher: hashlib._Hash) -> None:
    if isinstance(value, ast.AST):
        hasher.update(f"({type(value).__name__}".encode())
        for name in value._fields:
            child = getattr(value, name, None)
            if name == "body" and isinstance(child, list) and _has_docstring(value):
                child = child[1:]
            if child is None or child == []:
                continue
            hasher.update(f" {name}=".encode())
            _hash_node(child, hasher)
        hasher.update(b")")
    elif isinstance(value, list):
        hasher.update(b"[")
        for child in value:
            _hash_node(child, hasher)
        hasher.update(b"]")
    else:
        hasher.update(f"{type(value).__name__}:{value!r};".encode())


def _has_docstring(node: ast.AST) -> bool:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    first = node.body[0] if node.body else None
    return (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )


def _imports(tree: ast.AST, *, package: str, path: Path) -> list[str]:
    """Project modules that are imported anywhere in `tree`, also inside functions."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if hidden := _DYNAMIC & {alias.name for alias in node.names}:
                # Under another name it would not be seen below.
                _refuse(path, node.lineno, *hidden)
            if node.level:
                above = package.split(".")
                above = above[: len(above) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            found.append(base)
            found.extend(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Name | ast.Attribute):
            # Whether it is called here, or handed on to what calls it.
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in _DYNAMIC:
                _refuse(path, node.lineno, name)
    ours = [name for name in found if name == PACKAGE or name.startswith(f"{PACKAGE}.")]
    return [name for name in ours if _file_of(name) is not None]


def _refuse(path: Path, line: int, *names: str) -> None:
    raise ValueError(
        f"{path}:{line}: {', '.join(names)}() hides from the fingerprint what it imports; "
        "write a plain import statement"
    )
