"""The process manager alone, over small stand-in programs."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from service.launcher import die_with_parent
from service.launcher.supervisord import Program, Supervisor, configuration

SLEEPER = [sys.executable, "-c", "import time; print('hello', flush=True); time.sleep(600)"]
QUITTER = [sys.executable, "-c", "raise SystemExit('no model here')"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tethers need Linux")


def until(look: Callable[[], Any], timeout_s: float = 20) -> Any:
    """The first true value that `look` returns."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


@pytest.fixture
def run_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sup-"))  # short: a unix socket's path has at most 107 characters
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def supervise(run_dir: Path, tmp_path: Path) -> Iterator[Callable[..., Supervisor]]:
    started: list[Supervisor] = []

    def start(*programs: Program) -> Supervisor:
        (run_dir / "supervisord.conf").write_text(configuration(run_dir, tmp_path, programs))
        supervisor = Supervisor(run_dir, os.environ)
        started.append(supervisor)
        supervisor.wait_until_it_answers()
        for program in programs:
            supervisor.start(program.name)
        return supervisor

    yield start
    for supervisor in started:
        supervisor.kill()
        supervisor.stop()


def pid_of(supervisor: Supervisor, name: str) -> int:
    return next(state.pid for state in supervisor.states() if state.name == name)


def test_what_is_killed_is_started_again_under_a_new_process_id(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise(Program("sleeper", SLEEPER, rank=1, settled_s=0))
    first = until(lambda: pid_of(supervisor, "sleeper"))
    os.kill(first, signal.SIGKILL)
    assert until(lambda: pid_of(supervisor, "sleeper") not in (0, first))


def test_a_program_that_keeps_ending_is_reported_as_fatal_and_its_words_are_in_its_log(
    supervise: Callable[..., Supervisor], tmp_path: Path
) -> None:
    supervisor = supervise(Program("quitter", QUITTER, rank=1, settled_s=5))
    until(lambda: supervisor.states()[0].state == "FATAL")
    assert "no model here" in (tmp_path / "quitter.log").read_text()


def test_stopping_leaves_no_process_and_no_run_folder(
    supervise: Callable[..., Supervisor], run_dir: Path
) -> None:
    supervisor = supervise(Program("sleeper", SLEEPER, rank=1, settled_s=0))
    pid = until(lambda: pid_of(supervisor, "sleeper"))
    supervisor.stop()
    assert not psutil.pid_exists(pid)
    assert not run_dir.exists()


def test_programs_end_when_the_process_manager_is_killed(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise(Program("sleeper", SLEEPER, rank=1, settled_s=0))
    pid = until(lambda: pid_of(supervisor, "sleeper"))
    supervisor.kill()
    until(lambda: not psutil.pid_exists(pid))
    assert not psutil.pid_exists(pid)


def test_percent_signs_in_commands_reach_the_program_as_they_are(
    supervise: Callable[..., Supervisor], tmp_path: Path
) -> None:
    supervise(Program("speaker", ["echo", "worker@%h 100% 'quoted words'"], rank=1, settled_s=0))
    log = tmp_path / "speaker.log"
    until(lambda: log.is_file() and log.stat().st_size)
    assert log.read_text().splitlines()[0] == "worker@%h 100% 'quoted words'"


def test_a_tethered_command_does_not_start_when_its_parent_is_gone() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    ended = subprocess.run(
        [sys.executable, "-m", "service.launcher.die_with_parent", "echo", "started"],
        env={**os.environ, die_with_parent.PARENT: str(gone.pid)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode != 0
    assert "started" not in ended.stdout
