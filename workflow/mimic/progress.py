"""How a step shows in the terminal how far it is.

Apart from `mimic.step`, so that the runner, which every job starts, loads little.
"""

from __future__ import annotations

import time

# Lines that begin so are shown in the terminal by the runner; all others go to the log alone.
PROGRESS_MARK = "» "
# The line that begins so is shown if the step is killed.
IF_KILLED_MARK = "if killed: "


class Progress:
    """Shows how far a long job is, at most every few seconds.

    Parameters
    ----------
    what
        What is counted, such as ``answers``.
    total
        How many there are.
    begun
        How many of them were done before.
    """

    def __init__(self, what: str, total: int, *, begun: int = 0, every_s: float = 5.0) -> None:
        self.what, self.total, self.every_s = what, total, every_s
        self.begun = self.done = begun
        self.start = self.shown = time.monotonic()

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count `count` more as done."""
        self.done += count
        now = time.monotonic()
        if now - self.shown < self.every_s and self.done < self.total:
            return
        self.shown = now
        left = (now - self.start) / (self.done - self.begun) * (self.total - self.done)
        line = f"{self.what} {self.done} of {self.total}, about {left:.0f} s left"
        say(f"{line}, {note}" if note else line)


def say(line: str) -> None:
    """Show a line in the terminal of whoever started the job."""
    print(f"{PROGRESS_MARK}{line}", flush=True)


def say_if_killed(line: str) -> None:
    """Have a line shown if this process is killed, when it can't say anything any more."""
    print(f"{IF_KILLED_MARK}{line}", flush=True)
