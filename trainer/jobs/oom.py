"""Whether the kernel has killed processes for want of memory: all that a killed process leaves of its reason."""

from pathlib import Path

VMSTAT = Path("/proc/vmstat")


def out_of_memory_kills(source: Path = VMSTAT) -> int:
    """How often since the machine started; 0 where the kernel does not say."""
    try:
        lines = source.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
