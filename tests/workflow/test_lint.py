"""Snakemake's own lint, and what the design forbids in rules and profiles."""

import re
import subprocess
import sys

# docs/decisions/0004-snakemake-lint.md
ACCEPTED = {"Specify a conda environment or container for each rule."}


def test_snakemake_lint_finds_nothing_else(project):
    found = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=900,
    )
    lints = re.findall(r"^    \* (.+):$", found.stderr + found.stdout, flags=re.MULTILINE)
    assert "Lints for rule" in found.stderr + found.stdout, found.stderr
    assert set(lints) <= ACCEPTED


def test_every_rule_calls_the_runner_and_says_what_it_is(project):
    rules = {}
    for path in (project / "workflow/rules").glob("*.smk"):
        for name, body in re.findall(
            r"^rule (\w+):\n((?:    .*\n|\n)+)", path.read_text(), flags=re.MULTILINE
        ):
            rules[name] = body
    assert len(rules) == 19
    for name, body in rules.items():
        for directive in ("log", "benchmark", "resources", "message", "threads", "params"):
            assert re.search(rf"^    {directive}:", body, flags=re.MULTILINE), (name, directive)
        command = "RUN_PACK" if name == "pack" else "RUN"
        assert f"    shell:\n        {command}\n" in body, name
        assert not re.search(r"^    (run|script|retries|cache|conda):", body, re.MULTILINE), name


def test_there_is_no_default_profile(project):
    assert (project / "profiles/local/config.yaml").is_file()
    assert not (project / "profiles/default").exists()


def test_no_module_of_the_package_imports_snakemake(project):
    for path in (project / "workflow/mimic").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) snakemake", path.read_text(), re.MULTILINE), path
