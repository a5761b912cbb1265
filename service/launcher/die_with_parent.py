"""`python -m service.launcher.die_with_parent CMD ...`: a command ends with its parent, by kill -9 too.

Linux only (PR_SET_PDEATHSIG survives exec); elsewhere the command simply runs.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
PARENT = "TETHER_PARENT"


def end_with_parent(parent: int, sig: signal.Signals) -> None:
    """Ask the kernel for `sig` when the parent (a process id) ends; exit if it ended already."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(sig), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(f"the process {parent} that asked for this one is gone")


def main(command: list[str]) -> None:
    """Become `command`, tied to the process whose id is in TETHER_PARENT."""
    parent = os.environ.pop(PARENT, None)
    if parent:
        # SIGKILL: there is nobody left who could wait for a gentle end or report on it.
        end_with_parent(int(parent), signal.SIGKILL)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
