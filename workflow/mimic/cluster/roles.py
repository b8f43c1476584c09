"""Roles of one job, each on a node of its own: one that works, and others that serve it.

``python -m mimic.cluster.roles ROLES.json`` runs on the first node of a Slurm job and gives each
role a node, in their order. A role that serves is waited for; the others are told where it is by
the variable `Role.variable` of its name. When the one that works ends, the others are ended, and
its exit status is the job's; when another ends before it, all are, and the job has failed.
"""

from __future__ import annotations

import contextlib
import http.client
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from pydantic import Field, PositiveFloat, model_validator

from mimic.cluster.allocation import Allocation, Step, Told
from mimic.files import read_json
from mimic.progress import say
from mimic.provenance.process import pass_on_signals
from mimic.settings import Settings, parse_settings

POLL_S = 0.5
# What one look at whether a role is ready may take.
LOOK_S = 5.0
# Who fails waits so long for the end of another role, which may be why.
BLAME_S = 3.0
# What a role has to end when the work is done.
ENDING_S = 10.0
# Below the ports that Linux gives out by itself.
FIRST_PORT, PORTS = 20000, 12000
# The interface and the port that a role is to serve at.
HOST, PORT = "MIMIC_HOST", "MIMIC_PORT"


class Serving(Settings):
    """How a role serves others."""

    ready: str = Field(
        "/health", pattern="^/", description="the path that answers with status 200 when it can"
    )
    within_s: PositiveFloat = Field(600.0, description="the time that it has until then")


class Role(Settings):
    """A program that has a node to itself.

    Attributes
    ----------
    serves
        None for one that others don't wait for.
    """

    name: str = Field(pattern="^[a-z][a-z0-9-]*$")
    command: tuple[str, ...] = Field(min_length=1)
    serves: Serving | None = None

    @property
    def variable(self) -> str:
        """The environment variable that tells others where it serves: its URL."""
        return f"MIMIC_URL_{self.name.upper().replace('-', '_')}"


class Roles(Settings):
    """The roles of a job.

    Attributes
    ----------
    main
        The role that works; when it ends, the job does.
    logs
        Folder for what each role says. What the main one says is this process's output, too.
    """

    roles: tuple[Role, ...] = Field(min_length=1)
    main: str
    logs: Path

    @model_validator(mode="after")
    def _names_are_of_roles(self) -> Roles:
        names = [role.name for role in self.roles]
        all_names = ", ".join(names)
        if len(set(names)) < len(names):
            raise ValueError(f"two of the roles {all_names} have one name; name one anew")
        if self.main not in names:
            raise ValueError(f"main is {self.main!r}, which is no role; there are {all_names}")
        if next(role for role in self.roles if role.name == self.main).serves is not None:
            raise ValueError(
                f"{self.main} is main and serves; others can't serve it and wait for it"
            )
        return self


def main(argv: Sequence[str] | None = None) -> int:
    """Run the roles; the exit status is that of the main one, or not 0 if another one failed."""
    (source,) = sys.argv[1:] if argv is None else argv
    told = Told()
    pass_on_signals(told)
    try:
        roles = parse_settings(Roles, read_json(Path(source)), source=source)
        allocation = Allocation.of_this_job(nodes=len(roles.roles))
        return _run(roles, allocation, told)
    except (OSError, ValueError) as error:
        print(f"error: {error}", flush=True)
        return 1


def _run(roles: Roles, allocation: Allocation, told: Told) -> int:
    places = dict(zip((role.name for role in roles.roles), allocation.nodes, strict=True))
    urls = {
        role.variable: f"http://{places[role.name].address}:{_port(allocation.job, number)}"
        for number, role in enumerate(roles.roles)
        if role.serves is not None
    }
    steps: dict[str, Step] = {}
    roles.logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as logs, ExitStack() as held:
        held.callback(_end_all, steps)

        def start(number: int, role: Role) -> None:
            node = places[role.name]
            serving = {HOST: node.address, PORT: str(_port(allocation.job, number))}
            log = logs.enter_context((roles.logs / f"{role.name}.log").open("w", encoding="utf-8"))
            steps[role.name] = Step(
                role.command,
                name=role.name,
                node=node,
                job=allocation.job,
                environment=urls | (serving if role.serves else {}),
                hear=_hearing(log.write, log.flush, aloud=role.name == roles.main),
            )
            say(f"{role.name} is on {node.name}")

        numbered = list(enumerate(roles.roles))
        for number, role in numbered:
            if role.serves is not None:
                start(number, role)
        for role in roles.roles:
            if role.serves is not None:
                _wait_until_ready(role, role.serves, urls[role.variable], steps, told)
        for number, role in numbered:
            if role.serves is None:
                start(number, role)
        return _wait(roles.main, steps, told)


def _port(job: str, number: int) -> int:
    """The port of a role, which another job's differs from."""
    return FIRST_PORT + (int(job) * 16 + number) % PORTS


def _hearing(
    write: Callable[[str], object], flush: Callable[[], None], *, aloud: bool
) -> Callable[[str], None]:
    """Keeps what a role says, and says it aloud."""

    def hear(line: str) -> None:
        # The log may be closed by the time of a role's last words.
        # A full disk mustn't end the hearing: nobody would read on, and the role would block.
        with contextlib.suppress(ValueError, OSError):
            write(line)
            flush()
        if aloud:
            print(line, end="", flush=True)

    return hear


def _wait_until_ready(
    role: Role, serving: Serving, url: str, steps: dict[str, Step], told: Told
) -> None:
    """Wait until a role answers.

    Raises
    ------
    ValueError
        If a role ends first, or it takes too long.
    """
    deadline = time.monotonic() + serving.within_s
    while not _answers(f"{url}{serving.ready}"):
        told.pass_on(list(steps.values()))
        for step in steps.values():
            if step.status is not None:
                raise _failed(step, f"ended with exit status {step.status} before it was ready")
        if time.monotonic() > deadline:
            words = f"didn't answer at {url}{serving.ready} within {serving.within_s:.0f} s"
            raise _failed(steps[role.name], words)
        time.sleep(POLL_S)
    say(f"{role.name} is ready at {url}")


def _answers(url: str) -> bool:
    # No proxy: it is a node of the same job.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=LOOK_S) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False


def _wait(name: str, steps: dict[str, Step], told: Told) -> int:
    """Wait for the main role; its exit status.

    Raises
    ------
    ValueError
        If another one ends before it and wasn't told to.
    """
    others = [step for other, step in steps.items() if other != name]
    deadline = float("inf")
    while True:
        status = steps[name].status
        told.pass_on(list(steps.values()))
        for step in others:
            if step.status is not None and status != 0 and not told.numbers:
                raise _failed(step, f"ended with exit status {step.status} before {name} did")
        if status is not None:
            # One that fails may have missed another one, of whose end Slurm hasn't told yet.
            deadline = min(deadline, time.monotonic() + (BLAME_S if status else 0))
        if time.monotonic() >= deadline:
            break
        time.sleep(POLL_S)
    steps[name].finish()
    if status != 0:
        # Its words stand in the job's log already.
        say(f"{name} ended with exit status {status}; its log is that of the job")
    return status or 0


def _failed(step: Step, words: str) -> ValueError:
    """What to say of a role that failed: its last lines are shown."""
    step.finish()
    for line in step.tail:
        say(f"[{step.name}] {line}")
    return ValueError(f"{step.name} (on {step.node.name}) {words}")


def _end_all(steps: dict[str, Step]) -> None:
    for step in steps.values():
        step.end(grace_s=ENDING_S)


if __name__ == "__main__":
    sys.exit(main())
