"""Signals still reach a process that has opened and closed OpenVINO models."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import gc, signal
from tests.fakes.inference import FakeSource
from trainer.engines.openvino_engine import OpenVinoEngine

signal.signal(signal.SIGTERM, lambda *_: print("handled", flush=True))
first, second = OpenVinoEngine(FakeSource()), OpenVinoEngine(FakeSource())
# In the order in which a cache of models lets go: the oldest first.
del first
gc.collect()
del second
gc.collect()
signal.raise_signal(signal.SIGTERM)
"""


def test_a_signal_after_models_were_closed_oldest_first_does_not_end_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("handled\n")
