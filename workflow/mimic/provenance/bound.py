"""A command that is killed when the process that starts it ends, whatever ends that one.

``python bound.py PID COMMAND …`` asks Linux for that and becomes the command. In a process of its
own, because a process with threads must not run Python between fork and exec. It is started by its
path, without the package, and imports little: it adds about 20 ms to a step.
"""

from __future__ import annotations

import os
import signal
import sys

# Of <sys/prctl.h>.
PR_SET_PDEATHSIG = 1


def bound(command: list[str]) -> list[str]:
    """The command, bound to this process where the system can do that.

    It has to be started by the main thread: the kernel looks to the thread that did.
    """
    if sys.platform != "linux":
        return command
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main() -> None:
    """Become the command."""
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        # It ended before it was asked for.
        sys.exit(128 + signal.SIGKILL)
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
