"""Evaluations over the API, done by real processes: to their end, through a kill, and broken off by their deletion."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from service.schemas.evaluations import Evaluation
from tests.embedded.test_run import Start, short_folder, starter
from tests.fakes.client import Client
from tests.fakes.launch import Run, until
from tests.fakes.model import make_model

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CHILD = "trainer.evaluation.child"
END_S = 240.0
PATIENTS, SLICES = 6, 4


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    models_dir = tmp_path_factory.mktemp("models")
    make_model(models_dir)
    make_model(models_dir, "another", seed=1)
    with short_folder() as place, starter(place, models_dir) as start_run:
        yield start_run


@pytest.fixture(scope="module")
def service(start: Start) -> Run:
    return start(TRAINING_THREADS=1, LEASE_S=3).wait_until_ready()


@pytest.fixture(scope="module")
def client(service: Run) -> Client:
    return Client(str(service.address))


@pytest.fixture(scope="module")
def dataset(client: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    return client.upload_study(tmp_path_factory.mktemp("study"), patients=PATIENTS, slices=SLICES)


def ask(client: Client, dataset: str, **more: Any) -> str:
    """Where the new evaluation is."""
    made = client.post("/v1/models/default/evaluations", json={"dataset": dataset, **more})
    return str(made["links"]["self"])


def ended(client: Client, at: str) -> dict[str, Any]:
    """The evaluation, once it has ended."""

    def over() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(at)
        return found if found["status"] in ("succeeded", "failed") else None

    return dict(until(over, END_S, "the end of the evaluation"))


def children(service: Run) -> list[psutil.Process]:
    """The processes that evaluate."""
    found = []
    for process in service.processes():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if CHILD in process.cmdline():
                found.append(process)
    return found


def child_of(service: Run) -> psutil.Process:
    """The process of the only evaluation."""
    return until(lambda: children(service), 60, "the process of the evaluation")[0]


def is_gone(process: psutil.Process) -> bool:
    """Ended, whether or not somebody has asked for its exit status."""
    with suppress(psutil.NoSuchProcess):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


def test_a_model_is_measured_beside_another_and_the_report_stands_alone(client: Client, dataset: str) -> None:
    done = ended(client, ask(client, dataset, against="stand-in"))
    assert done["status"] == "succeeded", done["error"]
    assert Evaluation().load(done)
    result = done["result"]
    assert (result["counts"]["patients"], result["counts"]["slices"]) == (PATIENTS, PATIENTS * SLICES)
    assert 0 <= result["dice"]["patient"]["mean"] <= 1 and result["comparison"] is not None
    assert len(result["per_patient"]) == PATIENTS
    assert "TCGA" not in str(result)
    answer = client.ask("GET", done["links"]["report"])
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html")
    assert "script" not in answer.headers["Content-Security-Policy"]
    for outside in ("<script", "<link", 'src="http', "url(http", "TCGA"):
        assert outside not in answer.text


def test_one_whose_process_is_killed_is_done_in_the_end(client: Client, dataset: str, service: Run) -> None:
    at = ask(client, dataset)
    victim = child_of(service)
    victim.kill()
    done = ended(client, at)
    assert done["status"] == "succeeded", done["error"]
    assert all(process.pid != victim.pid for process in children(service))


def test_one_whose_worker_is_killed_is_done_in_the_end(client: Client, dataset: str, service: Run) -> None:
    at = ask(client, dataset)
    orphan = child_of(service)
    worker = orphan.parent()
    assert worker is not None
    worker.kill()
    until(lambda: is_gone(orphan), 10, "the end of the process without its worker")
    assert ended(client, at)["status"] == "succeeded"


def test_one_that_is_deleted_while_it_runs_leaves_nothing(client: Client, dataset: str, service: Run) -> None:
    at = ask(client, dataset)
    process, begun = child_of(service), time.monotonic()
    assert client.ask("DELETE", at).status_code == 204
    until(lambda: is_gone(process), 10, "the end of its process")
    assert time.monotonic() - begun < 10
    assert client.ask("GET", at).status_code == 404
    id = at.rpartition("/")[2]
    assert not list(Path(service.data_dir).rglob(f"*{id}*/report.html"))
