"""`make run` as its user sees it: it starts, it heals, and it leaves nothing behind."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.fakes.launch import ROOT, Run, a_png, clean_environment, get, post_image, until
from tests.fakes.model import make_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them"),
]

Start = Callable[..., Run]


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_model(folder)
    return folder


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a short path (a unix socket's has at most 107 characters), and in it a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="run-"))
    (folder / "tmp").mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def starter(place: Path, models_dir: Path) -> Iterator[Start]:
    runs: list[Run] = []

    def start_run(data_dir: Path = place / "data", **settings: object) -> Run:
        # torch, because the other engine converts the model first; what is tested here is around it.
        ours = {"MODELS_DIR": models_dir, "DEVICE": "cpu", "ENGINE": "torch", "TMPDIR": place / "tmp"}
        runs.append(Run(data_dir, **{**ours, **settings}))
        return runs[-1]

    try:
        yield start_run
    finally:
        for run in runs:
            run.clean_up()


@pytest.fixture
def place() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def start(place: Path, models_dir: Path) -> Iterator[Start]:
    with starter(place, models_dir) as start_run:
        yield start_run


@pytest.fixture(scope="module")
def running(models_dir: Path) -> Iterator[Run]:
    """One run for the tests after which it is as good as before."""
    with short_folder() as folder, starter(folder, models_dir) as start_run:
        yield start_run().wait_until_ready()


def gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=0)[1]


def training_workers(processes: list[psutil.Process]) -> list[psutil.Process]:
    """The Celery workers of the queue `training`, not what holds them."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            words = process.cmdline()
            if "training" in words and "celery" in words and "service.launcher.die_with_parent" not in words:
                found.append(process)
    return found


def left_behind(run: Run) -> list[Path]:
    """Run folders, and whatever else lies in the temporary folder."""
    return [*run.data_dir.glob("segmentation-run-*"), *(run.data_dir.parent / "tmp").iterdir()]


def test_it_says_what_it_does_and_prints_one_line_with_the_address(running: Run) -> None:
    assert running.ready()
    assert running.terminal.count("http://") == 1
    for word in ("database", "redis", "worker", "api", "ready"):
        assert word in running.terminal
    status, models = get(f"{running.address}/v1/models")
    assert status == 200 and [model["id"] for model in models["items"]] == ["stand-in"]


@pytest.mark.parametrize("word", ["redis-server", "celery", "gunicorn"])
def test_what_is_killed_is_started_again(running: Run, word: str) -> None:
    victim = running.find(word)
    assert victim is not None
    victim.kill()
    until(lambda: (new := running.find(word)) and new.pid != victim.pid, what=f"the restart of {word}")
    until(running.ready, what="the service being ready again")

    def accepted() -> str | None:
        # What was ready a moment ago may be what was killed: a client tries again.
        status, job = post_image(str(running.address), a_png())
        return job["id"] if status in (201, 202) else None

    link = f"{running.address}/v1/segmentations/{until(accepted, what='a job being accepted')}"
    until(lambda: (get(link)[1] or {}).get("status") == "succeeded", what="the end of a job posted then")
    until(lambda: f"process {victim.pid}, now" in running.terminal, what="the line about it")


def test_a_second_run_at_the_same_data_folder_is_refused(running: Run, start: Start) -> None:
    second = start(DATA_DIR=running.data_dir)
    assert second.process.wait(60) == 2
    assert f"another run is at work (process {running.process.pid}" in second.terminal
    assert running.ready()


def test_runs_with_data_folders_of_their_own_do_not_disturb_each_other(running: Run, start: Start) -> None:
    other = start().wait_until_ready()
    assert other.ready() and other.address != running.address
    assert other.stop() == 0
    assert running.ready()


@pytest.mark.parametrize("workers", [0, 2])
def test_as_many_training_workers_run_as_asked_for_and_go_with_the_rest(start: Start, workers: int) -> None:
    run = start(TRAINING_WORKERS=workers).wait_until_ready()
    assert run.ready()
    processes = run.processes()
    assert len(training_workers(processes)) == workers
    logs = {file.stem for file in (run.data_dir / "logs").glob("training-*.log")}
    assert logs == {f"training-{number + 1}" for number in range(workers)}
    assert post_image(str(run.address), a_png())[0] == 201
    assert run.stop() == 0
    assert gone(processes)
    assert left_behind(run) == []


def test_a_training_worker_that_is_killed_is_started_again_beside_the_other(start: Start) -> None:
    run = start(TRAINING_WORKERS=2).wait_until_ready()
    victim, other = training_workers(run.processes())
    victim.kill()
    victim.wait(30)  # a process that was killed may be listed for a moment more

    def both() -> set[int] | None:
        found = {process.pid for process in training_workers(run.processes())}
        return found if len(found) == 2 and victim.pid not in found else None

    assert other.pid in until(both, what="its restart")
    assert run.ready()


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_and_leaves_no_process_and_no_temporary_file(
    start: Start, sig: signal.Signals
) -> None:
    run = start().wait_until_ready()
    processes = run.processes()
    assert len(processes) >= 5  # launcher, supervisord, Redis, worker, gunicorn and its worker
    assert run.stop(sig) == 0
    assert gone(processes)
    assert left_behind(run) == []
    assert {file.name for file in run.data_dir.iterdir()} >= {"logs", "service.sqlite3"}


def test_a_stop_while_it_is_starting_leaves_nothing_either(start: Start) -> None:
    run = start()
    until(lambda: "loading the model" in run.terminal, what="the start of the worker")
    processes = run.processes()
    # Under nohup a hang-up is ignored, by it and by us.
    hangs_up = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
    assert run.stop(signal.SIGHUP if hangs_up else signal.SIGTERM) == 0
    assert gone(processes)
    assert "ready" not in run.terminal
    assert left_behind(run) == []


def test_killing_the_launcher_leaves_nothing_and_the_next_run_works(start: Start) -> None:
    run = start().wait_until_ready()
    processes = run.processes()
    run.process.kill()
    again = start()
    assert again.wait_until_ready().ready()
    assert gone(processes)
    again.stop()
    assert left_behind(again) == []


def test_killing_the_process_manager_ends_the_run_with_a_sentence(start: Start) -> None:
    run = start().wait_until_ready()
    processes = run.processes()
    manager = run.find("service.launcher.supervisord")
    assert manager is not None
    manager.kill()
    assert run.process.wait(60) == 1
    until(lambda: gone(processes), what="the end of the processes")
    assert "supervisord was ended from outside" in run.terminal
    assert left_behind(run) == []


def test_a_taken_port_is_named_before_anything_starts(start: Start) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        run = start(PORT=port)
        assert run.process.wait(60) == 2
    assert f"PORT is {port}, which another program on this machine has taken" in run.terminal
    assert not (run.data_dir / "logs").exists()


def test_a_worker_that_cannot_start_is_reported_with_its_last_words(start: Start) -> None:
    run = start(DEVICE="toaster")
    assert run.process.wait(120) == 1
    assert re.search(
        "^error: (worker|training-1) keeps ending", run.terminal, re.MULTILINE
    )  # whichever was first
    assert "DEVICE is 'toaster'" in run.terminal
    assert left_behind(run) == []


def test_an_address_that_others_can_reach_is_refused_without_a_key(start: Start) -> None:
    run = start(HOST="0.0.0.0")
    assert run.process.wait(60) == 2
    assert "HOST is '0.0.0.0'" in run.terminal and "keys create" in run.terminal


def test_with_a_bootstrap_key_it_may_listen_everywhere_and_asks_for_the_key(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("k" * 40)
    run = start(HOST="0.0.0.0", BOOTSTRAP_KEY_FILE=tmp_path / "key").wait_until_ready()
    port = str(run.address).rpartition(":")[2]
    assert get(f"http://127.0.0.1:{port}/v1/models")[0] == 401


def test_wrong_settings_are_named_all_at_once(start: Start) -> None:
    run = start(PORT="many", RETENTION_HOURS="-1", DATABASE_URL="mysql://x")
    assert run.process.wait(60) == 2
    assert all(
        name in run.terminal for name in ("PORT is 'many'", "RETENTION_HOURS is '-1'", "DATABASE_URL is")
    )


def test_a_redis_url_where_nothing_answers_is_named(start: Start, tmp_path: Path) -> None:
    run = start(REDIS_URL=f"unix://{tmp_path}/nobody.sock")
    assert run.process.wait(60) == 1
    assert "redis does not answer" in run.terminal


def test_a_deep_data_folder_works_although_sockets_must_be_short(start: Start, place: Path) -> None:
    run = start(place / ("deep" * 30) / "data").wait_until_ready()
    assert run.ready()
    assert list((place / "tmp").iterdir())
    assert run.stop() == 0
    assert list((place / "tmp").iterdir()) == []


def test_ending_make_ends_the_run(place: Path, models_dir: Path) -> None:
    """kill -9 of make itself, which passes nothing on."""
    makefile = place / "Makefile"
    makefile.write_text(f"run:\n\t@STOP_WITH_PARENT=1 exec {sys.executable} -m service run\n")
    run = Run(
        place / "data", command=["make", "-f", str(makefile), "run"], MODELS_DIR=models_dir, ENGINE="torch"
    )
    try:
        run.wait_until_ready()
        processes = run.processes()
        run.process.kill()
        until(lambda: gone(processes), what="the end of the processes")
    finally:
        run.clean_up()


def test_the_line_of_the_makefile_is_the_one_tested_here() -> None:
    assert "@STOP_WITH_PARENT=1 exec $(PY) -m service run" in (ROOT / "Makefile").read_text()


def test_an_unknown_command_is_answered_with_the_known_ones() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "service", "dance"],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert "run" in result.stderr and "keys" in result.stderr
