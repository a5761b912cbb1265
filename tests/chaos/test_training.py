"""Training runs while everything around them is killed: each is done once, and ends with the undisturbed weights."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest
import redis

from tests.embedded.test_run import Start, short_folder, starter
from tests.fakes.client import Client
from tests.fakes.launch import Run, until
from tests.fakes.model import make_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them"),
]

KILLS = int(os.environ.get("CHAOS_KILLS", "50"))
SPECIFICATION = {
    "name": "tiny", "encoder": "mobilenet_v2", "encoder_weights": None, "image_size": 64, "batch_size": 4,
    "epochs": 4, "validate_every": 1, "split_fractions": [0.5, 0.25, 0.25], "test_time_augmentation": [],
    "ema_decay": 0.5,
}  # fmt: skip
# The clients' requests outlast the longest outage here.
PATIENCE_S = 90.0


# One thread a process: two runs at once on two cores. Short times, so that little is waited for.
SETTINGS = {"TRAINING_WORKERS": 2, "TRAINING_THREADS": 1, "CHECKPOINT_S": 1, "LEASE_S": 3}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    models_dir = tmp_path_factory.mktemp("models")
    make_model(models_dir)
    with short_folder() as place, starter(place, models_dir) as start_run:
        yield start_run


@pytest.fixture(scope="module")
def service(start: Start) -> Run:
    return start(**SETTINGS).wait_until_ready()


@pytest.fixture(scope="module")
def client(service: Run) -> Client:
    return Client(str(service.address), PATIENCE_S)


@pytest.fixture(scope="module")
def dataset(client: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    return client.upload_study(tmp_path_factory.mktemp("study"), patients=8, slices=5)


class Killer:
    """kill -9 of whatever it is told, and FLUSHALL."""

    def __init__(self, service: Run) -> None:
        self.service = service
        self.log: list[str] = []

    def all_of(self, *words: str) -> list[psutil.Process]:
        """The processes whose command line has one of the words."""
        found = []
        for process in self.service.processes()[1:]:
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                line = process.cmdline()
                wrapper = "service.launcher.die_with_parent" in line
                if not wrapper and any(word in part for word in words for part in line):
                    found.append(process)
        return found

    def kill(self, *words: str) -> bool:
        """All of them at once; whether there were any."""
        found = self.all_of(*words)
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return bool(found)

    def flush(self) -> bool:
        """Redis forgets everything; whether it was there."""
        for process in self.all_of("redis-server"):
            with suppress(psutil.NoSuchProcess, redis.RedisError):
                # Redis shows its address in its title: `redis-server unixsocket:/path`.
                sockets = [
                    c.laddr for c in process.net_connections("unix") if str(c.laddr).endswith("redis.sock")
                ]
                if sockets:
                    return bool(redis.Redis(unix_socket_path=str(sockets[0])).flushall())
        return False

    def strike(self, chance: random.Random) -> None:
        """One of the ways to fail, by chance; only what hit something counts."""
        ways: dict[str, Callable[[], bool]] = {
            "process": lambda: self.kill("trainer.training.runs.child"),
            "one process": lambda: self.one(chance, "trainer.training.runs.child"),
            "worker": lambda: self.one(chance, "training@"),
            "api": lambda: self.kill("gunicorn"),
            "redis": lambda: self.kill("redis-server"),
            "flush": self.flush,
            "all": lambda: self.kill("trainer.training.runs.child", "training@", "gunicorn", "redis-server"),
        }
        name = chance.choices(list(ways), [4, 2, 3, 1, 1, 1, 1])[0]
        if ways[name]():
            self.log.append(name)

    def one(self, chance: random.Random, word: str) -> bool:
        """One of them; whether there was one."""
        found = self.all_of(word)
        if found:
            with suppress(psutil.NoSuchProcess):
                chance.choice(found).kill()
        return bool(found)


def test_killed_fifty_times_every_run_ends_once_with_the_weights_of_an_undisturbed_one(
    service: Run, client: Client, dataset: str
) -> None:
    undisturbed = client.start_run("undisturbed", dataset=dataset, **SPECIFICATION)
    expected = client.wait_for(undisturbed, "succeeded", "failed", timeout_s=300)
    assert expected["status"] == "succeeded", expected["error"]
    weights = client.weights(expected["model"])

    killer, chance = Killer(service), random.Random(7)
    runs: list[str] = []
    while len(killer.log) < KILLS:
        open_runs = [r for r in runs if client.run(r)["status"] not in ("succeeded", "failed", "cancelled")]
        while len(open_runs) < 2:
            runs.append(client.start_run(f"run-{len(runs)}", dataset=dataset, **SPECIFICATION))
            open_runs.append(runs[-1])
        time.sleep(chance.uniform(0.1, 9))
        killer.strike(chance)
    ended = [client.wait_for(run, "succeeded", "failed", "cancelled", timeout_s=400) for run in runs]

    assert [run["status"] for run in ended] == ["succeeded"] * len(runs), (killer.log, ended, service.logs())
    assert len({run["model"] for run in ended}) == len(runs)
    assert sum(run["attempts"] for run in ended) > len(runs), "no kill has hit"
    for run in ended:
        assert client.weights(run["model"]) == weights, (run["attempts"], killer.log)
        assert [e["epoch"] for e in run["epochs"]] == [1, 2, 3, 4]
        assert _numbers(run) == _numbers(expected)


def test_a_run_that_is_cancelled_at_any_moment_is_gone_within_five_seconds(
    service: Run, client: Client, dataset: str
) -> None:
    killer, chance = Killer(service), random.Random(3)
    for number, stage in enumerate([None, "loading", "training", "validating", "saving"]):
        run = client.start_run(f"cancel-{number}", dataset=dataset, **SPECIFICATION)
        deadline = time.monotonic() + 120
        while stage and client.run(run)["progress"]["stage"] != stage:
            assert time.monotonic() < deadline, stage
        if stage == "training":
            time.sleep(chance.uniform(0, 2))
        begun = time.monotonic()
        client.post(f"/v1/training-runs/{run}/cancel")
        assert client.wait_for(run, "cancelled", "succeeded", timeout_s=10)["status"] == "cancelled", stage
        assert time.monotonic() - begun < 5, stage
        assert killer.all_of("trainer.training.runs.child") == [], stage


def test_a_stopped_service_takes_its_runs_up_again(
    service: Run, client: Client, dataset: str, start: Start
) -> None:
    """The last test here: it stops the service, and starts another on the same folder."""
    run = client.start_run("stop", dataset=dataset, **{**SPECIFICATION, "epochs": 30})
    until(lambda: client.run(run)["progress"]["step"], 60, "the first step")
    assert service.stop(signal.SIGTERM) == 0
    again = start(**SETTINGS).wait_until_ready()
    after = Client(str(again.address), PATIENCE_S)
    until(
        lambda: "going on after epoch" in after.ask("GET", f"/v1/training-runs/{run}/log").text,
        60,
        "going on",
    )
    assert after.run(run)["attempts"] == 1, "a worker that stops in order costs no attempt"
    after.post(f"/v1/training-runs/{run}/cancel")
    after.wait_for(run, "cancelled")
    assert again.stop(signal.SIGTERM) == 0


def _numbers(run: dict) -> list[dict]:
    """What an epoch brought, without how long it took."""
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in run["epochs"]]
