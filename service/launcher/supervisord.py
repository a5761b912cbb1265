"""The process manager of the embedded run: supervisor over a private configuration and a unix socket."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Error as RpcError
from xmlrpc.client import ServerProxy

from service.launcher import die_with_parent

ROOT = Path(__file__).resolve().parents[2]
LOG_BYTES, LOG_BACKUPS = 10_000_000, 3


@dataclass(frozen=True)
class Program:
    """A process to keep alive: `rank` orders start (rising) and stop (falling)."""

    name: str
    command: Sequence[str]
    rank: int
    settled_s: int  # one that ends sooner than this counts as a failed start
    stop_s: int = 10  # SIGTERM, then SIGKILL after so long


@dataclass(frozen=True)
class ProgramState:
    """One program as supervisor sees it; `state` is its word: RUNNING, BACKOFF, FATAL, ..."""

    name: str
    state: str
    pid: int
    reason: str


def configuration(run_dir: Path, log_dir: Path, programs: Sequence[Program]) -> str:
    """supervisord.conf: in the foreground, answering on a unix socket only, restarting whatever ends."""
    sections = [
        f"[supervisord]\nnodaemon=true\nsilent=true\npidfile={_escape(run_dir / 'supervisord.pid')}\n"
        f"logfile={_escape(log_dir / 'supervisord.log')}\nlogfile_maxbytes=1000000\nlogfile_backups=1\n"
        f"childlogdir={_escape(run_dir)}\nidentifier=segmentation\n",
        f"[unix_http_server]\nfile={_escape(run_dir / 'supervisor.sock')}\nchmod=0600\n",
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n",
    ]
    return "\n".join(sections + [_program_section(program, log_dir) for program in programs])


def _program_section(program: Program, log_dir: Path) -> str:
    command = [sys.executable, "-m", "service.launcher.die_with_parent", *program.command]
    return (
        f"[program:{program.name}]\ncommand={_escape(shlex.join(command))}\ndirectory={_escape(ROOT)}\n"
        f"priority={program.rank}\nautostart=false\nautorestart=true\n"
        f"startsecs={program.settled_s}\nstartretries=2\n"
        f"stopsignal=TERM\nstopwaitsecs={program.stop_s}\nkillasgroup=true\n"
        f"redirect_stderr=true\nstdout_logfile={_escape(log_dir / f'{program.name}.log')}\n"
        f"stdout_logfile_maxbytes={LOG_BYTES}\nstdout_logfile_backups={LOG_BACKUPS}\n"
    )


def _escape(value: object) -> str:
    """Supervisor expands %(...)s in every value."""
    return str(value).replace("%", "%%")


class Supervisor:
    """A supervisord as a child process, tied to this one."""

    def __init__(self, run_dir: Path, env: Mapping[str, str], keep_open: Sequence[int] = ()) -> None:
        """`run_dir` holds supervisord.conf; `keep_open` are descriptors (a lock) kept while it lives."""
        self._socket = run_dir / "supervisor.sock"
        self._output = (run_dir / "supervisord.out").open("w+b")
        # A session of its own: Ctrl-C reaches the launcher only, which then stops everything in order.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "service.launcher.supervisord", str(run_dir)],
            cwd=ROOT,
            env={**env, die_with_parent.PARENT: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
            pass_fds=tuple(keep_open),
        )

    @property
    def alive(self) -> bool:
        """Whether supervisord itself runs."""
        return self._process.poll() is None

    def wait_until_it_answers(self, timeout_s: float = 20) -> None:
        """Return when supervisord answers; raises RuntimeError with what it printed when it does not."""
        deadline = time.monotonic() + timeout_s
        while self.alive and time.monotonic() < deadline:
            try:
                self._call("supervisor.getState")
            except (OSError, RpcError):
                time.sleep(0.05)
            else:
                return
        self._output.seek(0)
        raise RuntimeError(
            f"supervisord did not start: {self._output.read().decode(errors='replace').strip()}"
        )

    def start(self, name: str) -> None:
        """Start a program, without waiting for it. Raises OSError or xmlrpc.client.Error."""
        self._call("supervisor.startProcess", name, False)

    def states(self) -> list[ProgramState]:
        """All programs. Raises OSError or xmlrpc.client.Error when supervisord does not answer."""
        return [
            ProgramState(
                info["name"], info["statename"], info["pid"], info["spawnerr"] or info["description"]
            )
            for info in self._call("supervisor.getAllProcessInfo")
        ]

    def stop(self) -> None:
        """Stop the programs in order, and supervisord. Returns when it is gone."""
        if self.alive:
            self._process.terminate()
        self._process.wait()
        self._output.close()

    def kill(self) -> None:
        """End supervisord at once; the programs, being tethered, end with it."""
        self._process.kill()

    def _call(self, method: str, *arguments: Any) -> Any:
        # Imported here: the API must not need the process manager that may have started it.
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        with ServerProxy("http://127.0.0.1", transport=transport) as server:
            try:
                return getattr(server, method)(*arguments)
            except HTTPException as error:  # it died while it answered
                raise ConnectionError("supervisord did not answer to the end") from error


def main(run_dir: Path) -> None:
    """Be supervisord, end gently when the launcher is gone, and take the run folder along."""
    from supervisor.supervisord import main as supervise

    parent = os.environ.pop(die_with_parent.PARENT, None)
    if parent:
        die_with_parent.end_with_parent(int(parent), signal.SIGTERM)
    os.environ[die_with_parent.PARENT] = str(os.getpid())  # for the programs
    try:
        supervise(["--configuration", str(run_dir / "supervisord.conf")])
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
