"""The machine in words: what decides the numbers, and nothing that names it."""

import os
import platform
from pathlib import Path

import psutil
import torch

from trainer.engines.openvino_without_telemetry import ov


def describe() -> list[str]:
    """One fact a line."""
    facts = [
        f"{_cpu_model()}, {len(os.sched_getaffinity(0))} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB memory",
        f"Python {platform.python_version()}, torch {torch.__version__}, OpenVINO {ov.__version__.split('-')[0]}",
        f"load average when the run began: {os.getloadavg()[0]:.1f}",
    ]
    if torch.cuda.is_available():
        facts.insert(1, torch.cuda.get_device_name())
    return facts


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
