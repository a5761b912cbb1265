"""Watches over the programs of an embedded run: starts them in order, says what ends, shows why."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from xmlrpc.client import Error as RpcError

from service.launcher.log_errors import Complaints
from service.launcher.supervisord import Program, ProgramState, Supervisor

Say = Callable[[str], None]
_STILL_WAITING_S = 10.0
# A program that keeps ending after the service was ready once is tried again for ever, at this pace.
_TRY_AGAIN_S = 5.0
_LAST_LINES = 15
# A worker that lives but complains (it cannot load the model) may still recover for so long.
_PATIENCE_WITH_ERRORS_S = 60.0


class StartFailed(Exception):
    """Something could not be started; the text says what, and shows the end of its log."""


class Keeper:
    """Starts the programs in order, reports what ends, and waits for the word to stop."""

    def __init__(
        self, supervisor: Supervisor, programs: list[Program], log_dir: Path, say: Say, stop: threading.Event
    ) -> None:
        self._supervisor, self._programs, self._log_dir = supervisor, programs, log_dir
        self._say, self._stop = say, stop
        self._pids: dict[str, int] = {}

    def start(self, redis_answers: Callable[[], str | None], is_ready: Callable[[], str | None]) -> None:
        """Start Redis, then the rest together. The two arguments return None for yes, else what is missing.

        Raises StartFailed when a program ends again and again.
        """
        try:
            self._supervisor.wait_until_it_answers()
        except RuntimeError as error:
            raise StartFailed(str(error)) from error
        names = [program.name for program in self._programs]
        if "redis" in names:
            self._begin("redis")
        self._wait("redis", redis_answers, patience_s=None if "redis" in names else 10)
        self._say("worker     loading the model")
        self._say("api        starting")
        for name in names:
            if name != "redis" and not self._stop.is_set():
                self._begin(name)
        self._wait("service", is_ready, patience_s=None)

    def watch(self) -> None:
        """Until told to stop: say what ended and was restarted; start again what supervisor gave up."""
        while not self._stop.wait(0.5):
            for state in self._look():
                if state.state == "FATAL":
                    self._say(self._ending(state, f"trying again in {_TRY_AGAIN_S:.0f} s"))
                    if not self._stop.wait(_TRY_AGAIN_S):
                        self._begin(state.name)

    def _begin(self, name: str) -> None:
        """Start a program. Where supervisord has gone meanwhile the next look says so."""
        with suppress(OSError, RpcError):
            self._supervisor.start(name)

    def _wait(self, what: str, missing: Callable[[], str | None], patience_s: float | None) -> None:
        begun = told = time.monotonic()
        complained: float | None = None
        complaints = Complaints(self._log_dir / f"{program.name}.log" for program in self._programs)
        while not self._stop.is_set() and (problem := missing()) is not None:
            fatal = [state for state in self._look() if state.state == "FATAL"]
            if fatal:
                raise StartFailed(self._ending(fatal[0], "giving up"))
            now = time.monotonic()
            if patience_s is not None and now - begun > patience_s:
                raise StartFailed(f"{what} does not answer: {problem}")
            for sentence in complaints.new():
                self._say(sentence)
                complained = complained or now
            if complained and now - complained > _PATIENCE_WITH_ERRORS_S:
                raise StartFailed(f"{problem} The reason is above, and in {self._log_dir}")
            if now - told > _STILL_WAITING_S:
                told = now
                self._say(f"waiting    {problem} ({now - begun:.0f} s)")
            self._stop.wait(0.2)

    def _look(self) -> list[ProgramState]:
        """The states now; says which processes are new. Raises StartFailed when supervisord is gone."""
        if not self._supervisor.alive:
            raise StartFailed("supervisord was ended from outside: everything stops with it")
        try:
            states = self._supervisor.states()
        except (OSError, RpcError):
            return []  # busy or going: the next look tells
        for state in states:
            before, now = self._pids.get(state.name, 0), state.pid
            if now and before and now != before:
                log = self._log_dir / f"{state.name}.log"
                self._say(
                    f"restarted  {state.name}, which had ended (process {before}, now {now}): see {log}"
                )
            if now:
                self._pids[state.name] = now
        return states

    def _ending(self, state: ProgramState, what_now: str) -> str:
        log = self._log_dir / f"{state.name}.log"
        return f"{state.name} keeps ending ({state.reason}), {what_now}. The end of {log}:\n{last_lines(log)}"


def last_lines(path: Path, count: int = _LAST_LINES, most_bytes: int = 8000) -> str:
    """The end of a text file, indented; a word in brackets when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - most_bytes))
            text = file.read().decode(errors="replace")
    except OSError:
        text = ""
    return "\n".join(f"  {line}" for line in text.splitlines()[-count:]) or "  (empty)"
