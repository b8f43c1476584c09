"""Stand-ins for Slurm's commands in a job of two nodes, which are both this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

JOB = "7"
NODES = ("node1", "node2")
# Of srun's options the first line with none is the command.
SRUN = """
for word in "$@"; do
  case $word in
    --job-name=*) echo "$$" > {steps}/${{word#--job-name=}} ;;
    --nodelist=*) export SLURMD_NODENAME=${{word#--nodelist=}} ;;
  esac
done
while [ "${{1#--}}" != "$1" ]; do shift; done
exec "$@"
"""
SQUEUE = """
case "$*" in
  *--steps*) cd {steps}; for name in *; do echo "{job}.$name|$name"; done ;;
  *) echo "node[1-2]" ;;
esac
"""
SCANCEL = """
for last in "$@"; do :; done
case "$*" in *--signal=*) number=$(echo "$*" | sed 's/.*--signal=\\([A-Z0-9]*\\).*/\\1/') ;; esac
kill -s $number $(cat {steps}/${{last#{job}.}})
"""
SCONTROL = """
case "$*" in
  *hostnames*) echo node1; echo node2 ;;
  *) echo "NodeName=$3 Arch=x86_64"; echo "   NodeAddr=127.0.0.1 NodeHostName=$3" ;;
esac
"""


def put_commands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put them on the path, and this process into the job."""
    steps = folder / "steps"
    steps.mkdir()
    (folder / "bin").mkdir()
    scripts = {"srun": SRUN, "squeue": SQUEUE, "scancel": SCANCEL, "scontrol": SCONTROL}
    for name, script in scripts.items():
        path = folder / "bin" / name
        path.write_text(f"#!/bin/sh{script.format(steps=steps, job=JOB)}")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", JOB)
