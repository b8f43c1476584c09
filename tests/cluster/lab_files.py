"""The files of the lab: Slurm's configuration, stand-ins for GPUs, the user's commands."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import stat
from collections.abc import Sequence
from pathlib import Path
from string import Template

LAB = Path(__file__).with_name("lab")
ACCOUNT = "p200000"
CPU_NODES = ("mel0001", "mel0002")
GPU_NODES = ("mel2001", "mel2002", "mel2003")
GPUS = 4
MEMORY_MB = 491520
SHAPES = {
    "cpu": "CPUs=256 Sockets=2 CoresPerSocket=64 ThreadsPerCore=2",
    "gpu": f"CPUs=128 Sockets=2 CoresPerSocket=32 ThreadsPerCore=2 Gres=gpu:a100:{GPUS}",
}
COMMANDS = (
    *("sacct", "sacctmgr", "salloc", "sbatch", "scancel", "scontrol"),
    *("sdiag", "sinfo", "sprio", "squeue", "srun", "sshare", "sstat"),
)
# Where the daemons are, which needn't be on a user's path.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def accounts() -> str:
    """What sacctmgr is told at first: QOS, an account, the user."""
    text = Template((LAB / "accounts.in").read_text())
    return text.substitute(account=ACCOUNT, user=getpass.getuser())


def write_files(state: Path, *, ports: Sequence[int]) -> None:
    """Write all files below `state`; the ports are those of slurmctld, slurmdbd and the nodes."""
    ctld, dbd, *of_nodes = ports
    values = {
        "ctld_port": ctld,
        "dbd_port": dbd,
        "host": socket.gethostname().split(".")[0],
        "state": state,
        "user": getpass.getuser(),
    }
    etc = state / "etc"
    for source in LAB.glob("*.conf.in"):
        written = etc / source.stem
        written.write_text(Template(source.read_text()).substitute(values))
        # slurmdbd refuses to read a password that others can read.
        written.chmod(0o600 if source.stem == "slurmdbd.conf" else 0o644)
    shutil.copy(LAB / "job_submit.lua", etc)
    (etc / "cgroup.conf").write_text("IgnoreSystemd=yes\nCgroupPlugin=cgroup/v1\n")
    with (etc / "slurm.conf").open("a") as conf:
        conf.writelines(_nodes(of_nodes))
    devices = state / "dev"
    (etc / "gres.conf").write_text(
        "".join(
            f"NodeName={node} Name=gpu Type=a100 File={devices}/nvidia[0-{GPUS - 1}]\n"
            for node in GPU_NODES
        )
    )
    for number in range(GPUS):
        _make_device(devices / f"nvidia{number}")
    for name in COMMANDS:
        _write_command(state / "bin" / name, etc / "slurm.conf")


def _nodes(ports: Sequence[int]) -> list[str]:
    """The lines of nodes and partitions."""
    kinds = {**dict.fromkeys(CPU_NODES, "cpu"), **dict.fromkeys(GPU_NODES, "gpu")}
    lines = [
        f"NodeName={node} NodeAddr=127.0.0.1 Port={port} {SHAPES[kind]} RealMemory={MEMORY_MB} "
        "State=UNKNOWN\n"
        for port, (node, kind) in zip(ports, kinds.items(), strict=True)
    ]
    for kind, nodes in (("cpu", CPU_NODES), ("gpu", GPU_NODES)):
        lines.append(
            f"PartitionName={kind} Nodes={','.join(nodes)} MaxTime=INFINITE DefaultTime=01:00:00 "
            f"OverSubscribe=EXCLUSIVE State=UP Default={'YES' if kind == 'cpu' else 'NO'}\n"
        )
    return lines


def _write_command(path: Path, conf: Path) -> None:
    """A command of the user's that knows its cluster.

    A job's inner srun gets no SLURM_CONF: Snakemake's plugin drops what begins with SLURM_.
    """
    program = shutil.which(path.name, path=PATH)
    path.write_text(f'#!/bin/sh\nSLURM_CONF={conf} exec {program} "$@"\n')
    path.chmod(0o755)


def _make_device(path: Path) -> None:
    """A stand-in for a GPU: as root a device, for which Slurm sets CUDA_VISIBLE_DEVICES in jobs."""
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except OSError:
        path.touch()
