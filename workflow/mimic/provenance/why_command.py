"""The command `mimic why`: asks Snakemake which jobs it would start, and explains each."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mimic.provenance.call import Call, parse_call
from mimic.provenance.store import the_store
from mimic.provenance.why import Explained, Fate, Reason, explain

_COMMAND = "Shell command: python -m mimic.provenance.runner "
# A word of a command, and its parts: in either quotes, or in none.
_WORD = re.compile(r"""(?:[^\s'"]++|'[^']*+'|"[^"]*+")++""")
_PART = re.compile(r"""'([^']*)'|"([^"]*)"|([^\s'"]+)""")


def show_why(targets: Sequence[str], *, configfile: Path | None) -> None:
    """Print for each job that would run what makes it run, and which are hits.

    Parameters
    ----------
    targets
        Result files; none for the whole study.
    configfile
        The study's settings; None for the default study.

    Raises
    ------
    ValueError
        With Snakemake's own words, if it can't say.
    """
    explained = explain(scheduled(targets, configfile=configfile), the_store())
    if not explained:
        print("Nothing would run: all results are what their code, settings and inputs give.")
        return
    for job in explained:
        print("\n".join(_lines(job)))
    counts = Counter(job.fate for job in explained)
    print(", ".join(f"{counts[fate]} {words}" for fate, words in _COUNTED.items() if counts[fate]))


_COUNTED = {
    Fate.RUNS: "would run",
    Fate.HIT: "linked from the store",
    Fate.MAY_BE_HIT: "wait for others and may be hits",
}


def scheduled(targets: Sequence[str], *, configfile: Path | None) -> list[Call]:
    """The jobs that Snakemake would start.

    Raises
    ------
    ValueError
        With Snakemake's own words, if it can't say.
    """
    command = [sys.executable, "-m", "snakemake", *targets, "--dry-run", "--printshellcmds"]
    command += ["--nolock", "--rerun-incomplete", "--cores", "1"]
    if configfile is not None:
        command += ["--configfile", str(configfile)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"`snakemake --dry-run` failed:\n{(done.stderr or done.stdout).strip()}")
    lines = (done.stdout + "\n" + done.stderr).splitlines()
    return [
        parse_call(words_of(line.removeprefix(_COMMAND)))
        for line in lines
        if line.startswith(_COMMAND)
    ]


def words_of(command: str) -> list[str]:
    """The words of a command that was quoted as `shlex.quote` does.

    `shlex.split` goes letter by letter: with 1,000 jobs that took longer than all else here.
    """
    return ["".join(map("".join, _PART.findall(word))) for word in _WORD.findall(command)]


def _lines(job: Explained) -> list[str]:
    lines = [f"{job.call.name}: {job.fate.value}"]
    lines += [f"  {reason.kind:<12}{_words(reason)}" for reason in job.reasons]
    if not job.reasons:
        lines.append("  nothing that counts differs; its files were touched")
    if job.waits_for:
        lines.append("  a hit if the store has it for the bytes to come")
    return lines


def _words(reason: Reason) -> str:
    return f"{reason.name}: {reason.change}" if reason.change else reason.name
