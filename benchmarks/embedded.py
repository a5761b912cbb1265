"""The whole service as `make run` starts it, in a folder of its own, and what its processes cost."""

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
START_S = 300.0
_ROLES = {"API": "gunicorn", "worker": "-Q inference", "Redis": "redis-server"}
# What is measured is the service as it comes, whatever the settings of the shell.
_DEFAULTS = (
    *("REDIS_URL", "DATABASE_URL", "STORE_URL", "DATASETS_DIR", "RECIPES_DIR"),
    *("TRAINING_WORKERS", "TRAINING_THREADS", "TRAINING_NICE", "CHECKPOINT_S"),
)


@dataclass(frozen=True)
class Service:
    """Its address (host, port), and its launcher."""

    host: str
    port: int
    launcher: psutil.Process

    def call(self, method: str, path: str, document: dict[str, Any] | None = None) -> dict[str, Any]:
        """A request with or without JSON, and its JSON answer (empty for none); SystemExit where it is an error."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise SystemExit(f"error: {method} {path}: {answer.status} {text[:500]!r}")
        return dict(json.loads(text)) if text else {}

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds so far, by role."""
        spent = dict.fromkeys(_ROLES, 0.0)
        for process in self.launcher.children(recursive=True):
            try:
                words = " ".join(process.cmdline())
                times = process.cpu_times()
            except psutil.Error:
                continue
            for role, word in _ROLES.items():
                if word in words:
                    spent[role] += times.user + times.system
        return spent


@contextmanager
def running(models_dir: Path, device: str, **settings: str) -> Iterator[Service]:
    """Start it with these settings besides, wait until it is ready, stop it."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "DATA_DIR": f"{folder}/data", "PORT": "0", "HOST": "127.0.0.1", "DEVICE": device}
        env |= {"MODELS_DIR": str(models_dir), "LOG_LEVEL": "info"}
        for name in _DEFAULTS:
            env.pop(name, None)
        env |= settings
        output = Path(folder) / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "service", "run"],
                cwd=ROOT,
                env=env,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            host, port = _address(process, output)
            yield Service(host, port, psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait(60)


def _address(process: "subprocess.Popen[bytes]", output: Path) -> tuple[str, int]:
    deadline = time.monotonic() + START_S
    while not (found := re.search(r"^ready\s+http://([^:/\s]+):(\d+)", output.read_text(), re.MULTILINE)):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"error: the service did not start:\n{output.read_text()[-3000:]}")
        time.sleep(0.2)
    return found[1], int(found[2])
