"""Starts `python -m service run` as a user would, in a data folder of its own, and looks at what it does."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
# Settings of the machine that runs the tests are not theirs.
OURS = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "SSL_CERT_FILE")


def until(look: Callable[[], Any], timeout_s: float = 60, what: str = "it") -> Any:
    """The first true value that `look` returns."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout_s:.0f} s"
        time.sleep(0.1)
    return found


def clean_environment(**settings: object) -> dict[str, str]:
    """An environment with these settings and nothing of ours but what programs need to run."""
    kept = {name: os.environ[name] for name in OURS if name in os.environ}
    return {**kept, **{name: str(value) for name, value in settings.items()}}


def get(url: str | urllib.request.Request, timeout_s: float = 10) -> tuple[int, Any]:
    """Status and JSON body of a GET (or another request); (0, None) when nobody answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout_s) as answer:
            return answer.status, json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        body = error.read()
        return error.code, json.loads(body) if body.startswith((b"{", b"[")) else None
    except OSError:
        return 0, None


def post_image(address: str, image: bytes, key: str | None = None) -> tuple[int, Any]:
    """Status and JSON body of POST /v1/segmentations, waiting for the end as long as the API does."""
    line = "----------------a-line"
    parts = {'image"; filename="x.png': image, "wait": b"20"}
    body = b"".join(
        f'--{line}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"
        for name, value in parts.items()
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={line}"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(
        f"{address}/v1/segmentations", body + f"--{line}--\r\n".encode(), headers
    )
    return get(request, timeout_s=40)


def a_png() -> bytes:
    """A grey square."""
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 90).save(buffer, "PNG")
    return buffer.getvalue()


class Run:
    """An embedded run: its terminal in a file, its process tree, its address."""

    def __init__(self, data_dir: Path, *, command: list[str] | None = None, **settings: object) -> None:
        self.data_dir = data_dir
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        self._terminal = data_dir.parent / f"{data_dir.name}.terminal"
        settings = {"DATA_DIR": data_dir, "PORT": 0, **settings}
        with self._terminal.open("wb") as output:
            self.process = subprocess.Popen(
                command or [sys.executable, "-m", "service", "run"],
                cwd=ROOT,
                env=clean_environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def terminal(self) -> str:
        """All that was printed so far."""
        return self._terminal.read_text(errors="replace")

    def wait_until_ready(self, timeout_s: float = 180) -> "Run":
        """Return once the line with the address is there."""
        try:
            until(lambda: self.address or self.process.poll() is not None, timeout_s, "the start")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.terminal}\n{self.logs()}") from None
        assert self.address, f"it ended: {self.terminal}\n{self.logs()}"
        return self

    @property
    def address(self) -> str | None:
        """http://127.0.0.1:PORT, once printed."""
        found = re.search(r"^ready\s+(http://\S+)", self.terminal, re.MULTILINE)
        return found[1] if found else None

    def ready(self) -> bool:
        """Whether /health/ready says yes."""
        return get(f"{self.address}/health/ready")[0] == 200

    def processes(self) -> list[psutil.Process]:
        """The launcher and everything below it."""
        try:
            launcher = psutil.Process(self.process.pid)
            return [launcher, *launcher.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def find(self, word: str) -> psutil.Process | None:
        """The topmost process of ours with this word in its command line, the launcher's own aside."""
        for process in self.processes()[1:]:
            try:
                if (
                    any(word in part for part in process.cmdline())
                    and "service.launcher.die_with_parent" not in process.cmdline()
                ):
                    return process
            except psutil.NoSuchProcess:
                continue
        return None

    def stop(self, sig: signal.Signals = signal.SIGTERM, timeout_s: float = 60) -> int:
        """Send the signal and wait for the end; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.process.wait(timeout_s)

    def clean_up(self) -> None:
        """Whatever a failed test left."""
        left = self.processes()
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait()

    def logs(self) -> str:
        """The ends of all logs, for the message of a failed test."""
        files = sorted((self.data_dir / "logs").glob("*.log"))
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')[-3000:]}" for file in files)
