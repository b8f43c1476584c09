"""A real Slurm on this machine, in the shape of MeluXina, with munge, MariaDB and slurmdbd.

Everything lies in one folder and listens on loopback; no file of the system is read or written, and
only processes that were started here are stopped. Two nodes without GPUs, three with four each.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lab_files import ACCOUNT, COMMANDS, CPU_NODES, GPU_NODES, PATH, accounts, write_files

from mimic.cluster.roles import FIRST_PORT

DAEMONS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd")
START_S, STOP_S, TOLD_S = 300.0, 60.0, 60.0


def missing() -> list[str]:
    """What of Slurm isn't installed here."""
    wanted = (*DAEMONS, *COMMANDS, "mariadb", "mariadb-install-db")
    return [name for name in wanted if shutil.which(name, path=PATH) is None]


class SlurmLab:
    """A cluster in the folder `state`, whose path has to be short: sockets lie in it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What a user's shell has there; jobs find the commands by the path alone."""
        return {"PATH": f"{self.state / 'bin'}:{os.environ['PATH']}", "MELUXINA_ACCOUNT": ACCOUNT}

    def run(self, *command: str, check: bool = True) -> str:
        """What a command of Slurm prints, times in seconds since 1970."""
        # By its path: Python looks a command up by its own PATH.
        line = [self.state / "bin" / command[0], *command[1:]]
        environment = os.environ | {"SLURM_TIME_FORMAT": "%s"}
        done = subprocess.run(line, capture_output=True, text=True, timeout=300, env=environment)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def up(self) -> None:
        """Start it, and wait until all nodes are idle."""
        for name in ("bin", "db", "dev", "etc", "log", "munge", "run", "spool"):
            (self.state / name).mkdir(parents=True)
            (self.state / name).chmod(0o755)
        write_files(self.state, ports=free_ports(2 + len(CPU_NODES) + len(GPU_NODES)))
        munge = self.state / "munge"
        (munge / "key").write_bytes(secrets.token_bytes(1024))
        (munge / "key").chmod(0o600)
        self._start(
            "munged",
            "--foreground",
            f"--key-file={munge / 'key'}",
            f"--socket={munge / 'socket'}",
            f"--pid-file={self.state / 'run/munged.pid'}",
            f"--log-file={self.state / 'log/munged.log'}",
            f"--seed-file={munge / 'seed'}",
        )
        self._start_database()
        self._start("slurmdbd", "-D")
        self._wait("slurmdbd", lambda: self._answers("sacctmgr", "-n", "list", "cluster"))
        for line in accounts().splitlines():
            self.run("sacctmgr", "-i", *line.split())
        self._start("slurmctld", "-D", "-i")
        self._wait("slurmctld", lambda: self._answers("scontrol", "ping"))
        for node in (*CPU_NODES, *GPU_NODES):
            self.start_node(node)
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Wait until all nodes are there and have no job."""
        self._wait("all nodes", lambda: len(self.idle_nodes()) == len(CPU_NODES + GPU_NODES))

    def down(self) -> None:
        """Cancel its jobs and stop what was started, the last first."""
        if "slurmctld" in self.processes:
            self.run("scancel", "--me", check=False)
            until(lambda: not self.run("squeue", "--noheader", check=False).strip(), STOP_S)
        for name in reversed(list(self.processes)):
            self.stop(name)

    def start_node(self, node: str) -> None:
        """Start the daemon of a node."""
        self._start("slurmd", "-D", "-N", node, name=node)

    def stop(self, name: str, *, sign: int = signal.SIGTERM) -> None:
        """Stop one daemon: a node by its name."""
        process = self.processes.pop(name)
        process.send_signal(sign)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def idle_nodes(self) -> set[str]:
        """The nodes that wait for jobs."""
        return set(self.run("sinfo", "-hN", "-t", "idle", "-o", "%N", check=False).split())

    def jobs(self, *columns: str) -> list[dict[str, str]]:
        """All jobs that there were, by sacct's names of columns."""
        # A job's end can reach the accounting seconds before its start, which it lacks till then.
        until(self._has_told_all, TOLD_S)
        return self._accounted(columns)

    def _has_told_all(self) -> bool:
        """Whether the accounting has heard of all jobs what the controller knows."""
        if re.search(r"^DBD Agent queue size: +0$", self.run("sdiag"), re.M) is None:
            return False
        rows = self._accounted(("Start", "Eligible"))
        return all(row["Eligible"].isdigit() for row in rows if row["Start"].isdigit())

    def _accounted(self, columns: Sequence[str]) -> list[dict[str, str]]:
        # By number: sacct would leave out what it has no start of if it were asked by time.
        after = re.search(r"^NEXT_JOB_ID\s+= (\d+)$", self.run("scontrol", "show", "config"), re.M)
        assert after is not None
        numbers = ",".join(map(str, range(1, int(after.group(1)))))
        if not numbers:
            return []
        text = self.run("sacct", "-nPXD", f"--jobs={numbers}", f"--format={','.join(columns)}%300")
        rows = [line.split("|") for line in text.splitlines()]
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _start_database(self) -> None:
        sock, user = self.state / "run/mysql.sock", getpass.getuser()
        subprocess.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={self.state / 'db'}",
                f"--user={user}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=True,
            capture_output=True,
            env=os.environ | {"PATH": PATH},
        )
        self._start(
            "mariadbd",
            "--no-defaults",
            f"--user={user}",
            f"--datadir={self.state / 'db'}",
            f"--socket={sock}",
            f"--pid-file={self.state / 'run/mariadbd.pid'}",
            "--skip-networking",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=64M",
            "--innodb-lock-wait-timeout=900",
            f"--log-error={self.state / 'log/mariadb.log'}",
        )
        client = ["mariadb", "--no-defaults", "-uroot", f"--socket={sock}", "-e"]
        self._wait(
            "mariadbd",
            lambda: subprocess.run([*client, "select 1"], capture_output=True).returncode == 0,
        )
        words = (
            "create database slurm_acct_db; create user 'slurm'@'localhost' identified by 'slurm'; "
            "grant all on slurm_acct_db.* to 'slurm'@'localhost'"
        )
        subprocess.run([*client, words], check=True, capture_output=True)

    def _start(self, program: str, *options: str, name: str = "") -> None:
        name = name or program
        environment = os.environ | {
            "PATH": PATH,
            "SLURM_CONF": str(self.state / "etc/slurm.conf"),
            "MYSQL_UNIX_PORT": str(self.state / "run/mysql.sock"),
        }
        with (self.state / f"log/{name}.out").open("ab") as log:
            # In a session of its own: a Ctrl-C in the terminal is for the tests.
            self.processes[name] = subprocess.Popen(
                [program, *options],
                env=environment,
                cwd=self.state,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _answers(self, *command: str) -> bool:
        try:
            return "DOWN" not in self.run(*command)
        except (RuntimeError, subprocess.TimeoutExpired):
            return False

    def _wait(self, what: str, is_there: Callable[[], bool]) -> None:
        if not until(is_there, START_S):
            raise RuntimeError(
                f"{what} didn't come up within {START_S:.0f} s; see {self.state}/log"
            )


def until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so; whether it came to be."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def free_ports(count: int) -> Sequence[int]:
    """Ports of loopback that nothing listens at.

    None of those that Linux gives to whoever connects, or that roles of a job serve at: another
    cluster that starts at the same time would have taken some of them before this one's daemons
    listen. Processes that share the tests have ports of their own each.
    """
    given_from = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    own = range(10_000 + number, min(given_from, FIRST_PORT), workers)
    found: list[int] = []
    for port in secrets.SystemRandom().sample(own, min(len(own), 50 * count)):
        with socket.socket() as each, contextlib.suppress(OSError):
            each.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            break
    return found
