"""The container files: the same commands as `make run`, nothing secret, nothing missing."""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from service.launcher import commands
from shared import catalog
from shared.contract.names import Queue
from tests.deploy.compose import (
    OWN,
    ROOT,
    command_of,
    compose,
    copied,
    docker_command,
    dockerfile,
    environment_of,
    mounts_of,
)
from trainer.settings import WorkerSettings

NO_API = ("flask", "flask_smorest", "gunicorn", "supervisor")
DOCKERFILES = ("Dockerfile.api", "Dockerfile.gpu")


def test_the_services_run_the_command_lines_of_make_run() -> None:
    assert command_of("api") == commands.api_command()
    assert command_of("inference-worker") == commands.worker_command(Queue.INFERENCE)
    assert command_of("training-worker") == commands.worker_command(Queue.TRAINING)
    assert command_of("redis") == commands.redis_command(["--port", "6379"])


def test_the_images_start_what_they_are_for_without_a_command_too() -> None:
    assert docker_command("Dockerfile.api") == commands.api_command()
    assert docker_command("Dockerfile.gpu") == commands.worker_command(Queue.INFERENCE)


@pytest.mark.parametrize("file", ["docker-compose.yml", "docker-compose.gpu.yml"])
def test_no_secret_stands_in_the_compose_files(file: str) -> None:
    settings = {k: v for s in compose(file)["services"].values() for k, v in s.get("environment", {}).items()}
    secret = {name: value for name, value in settings.items() if re.search("PASSWORD|KEY|SECRET|TOKEN", name)}
    assert all(name.endswith("_FILE") and value.startswith("/run/secrets/") for name, value in secret.items())
    assert not [value for value in settings.values() if re.search(r"://[^/@]*:[^/@]+@", str(value))]


def test_secrets_come_from_files_that_git_and_docker_builds_do_not_take() -> None:
    files = [secret["file"] for secret in compose()["secrets"].values()]
    assert files and all(file.startswith("./secrets/") for file in files)
    assert "/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert not allowed_into_builds("secrets/bootstrap_key")


@pytest.mark.parametrize("service", OWN)
def test_our_containers_restart_have_no_rights_and_wait_for_what_they_need(service: str) -> None:
    definition = compose()["services"][service]
    assert definition["restart"] == "unless-stopped"
    assert definition["cap_drop"] == ["ALL"] and definition["read_only"] is True
    assert {need["condition"] for need in definition["depends_on"].values()} == {"service_healthy"}


@pytest.mark.parametrize("service", ["api", "redis", "postgres", "inference-worker", "training-worker"])
def test_every_container_has_a_health_check(service: str) -> None:
    definition = compose()["services"][service]
    image_has_one = service == "api" and any(
        line.startswith("HEALTHCHECK") for line in dockerfile("Dockerfile.api")
    )
    assert "healthcheck" in definition or image_has_one


def test_without_the_override_no_gpu_is_asked_for() -> None:
    assert not [name for name, service in compose()["services"].items() if "deploy" in service]
    override = compose("docker-compose.gpu.yml")["services"]
    assert set(override) == {"inference-worker", "training-worker"}
    assert set(override) <= set(compose()["services"])


def test_only_the_api_is_published_and_only_on_loopback() -> None:
    ports = {name: service["ports"] for name, service in compose()["services"].items() if "ports" in service}
    assert list(ports) == ["api"]
    assert all(port.startswith("127.0.0.1:") for port in ports["api"])


def test_named_volumes_hold_what_must_survive_and_what_workers_can_make_again() -> None:
    with_volumes = [name for name, service in compose()["services"].items() if "volumes" in service]
    sources = {source.split(":")[0] for name in with_volumes for source in mounts_of(name, {}).values()}
    assert sources - {"/dev/null"} == set(compose()["volumes"]) == {"data", "cache", "postgres"}


def test_the_workers_share_a_cache_that_the_images_let_them_write_to() -> None:
    for service in ("inference-worker", "training-worker"):
        assert mounts_of(service, {})[f"{environment_of(service, {})['DATA_DIR']}/cache"] == "cache"
    # A new volume takes its owner from the image; otherwise it would be root's.
    for name in DOCKERFILES:
        assert any(
            "install --directory --owner=app" in line and "/data/cache" in line for line in dockerfile(name)
        )


def test_datasets_of_the_operator_are_seen_under_one_path_and_read_only() -> None:
    env = {"DATASETS_DIR": "/srv/studies"}
    for service in ("api", "training-worker"):
        path = environment_of(service, env)["DATASETS_DIR"]
        assert path and mounts_of(service, env)[path] == "/srv/studies:ro"
    assert "/datasets" not in mounts_of("inference-worker", env)


def test_folders_that_are_not_given_are_unset_and_nothing_is_made_for_them() -> None:
    for service in ("api", "training-worker"):
        assert not environment_of(service, {})["DATASETS_DIR"]
        assert mounts_of(service, {})["/datasets"] == "/dev/null:ro"
    assert not environment_of("training-worker", {})["ENCODER_WEIGHTS_DIR"]


def test_encoder_weights_and_downloads_have_a_place_in_the_training_worker() -> None:
    env = {"ENCODER_WEIGHTS_DIR": "/srv/weights"}
    path = environment_of("training-worker", env)["ENCODER_WEIGHTS_DIR"]
    assert mounts_of("training-worker", env)[path] == "/srv/weights:ro"
    assert environment_of("training-worker", {})["HF_HOME"].startswith("/data/cache/")


@pytest.mark.parametrize("name", ["TRAINING_THREADS", "TRAINING_NICE", "CHECKPOINT_S"])
def test_settings_of_training_are_passed_on(name: str) -> None:
    assert environment_of("training-worker", {name: "7"})[name] == "7"


def test_what_is_not_set_leaves_the_defaults_of_the_settings() -> None:
    given = environment_of("training-worker", {}) | {"DATABASE_PASSWORD_FILE": ""}
    assert WorkerSettings.from_env(given) == WorkerSettings.from_env(
        {name: given[name] for name in ("DATA_DIR", "REDIS_URL", "DATABASE_URL")}
    )


def test_training_stands_back_and_has_shared_memory_for_its_batches() -> None:
    training, inference = (compose()["services"][f"{name}-worker"] for name in ("training", "inference"))
    assert training["cpu_shares"] < inference.get("cpu_shares", 1024)
    assert int(training["shm_size"].removesuffix("gb")) >= 1


@pytest.mark.parametrize("name", DOCKERFILES)
def test_everything_copied_exists_and_is_let_through_by_dockerignore(name: str) -> None:
    assert copied(name)
    for source in copied(name):
        assert (ROOT / source).exists(), source
        assert allowed_into_builds(source), source


def allowed_into_builds(path: str) -> bool:
    """Whether .dockerignore lets a path through: the last line that matches it or a parent decides."""
    parents = ["/".join(path.split("/")[: n + 1]) for n in range(len(path.split("/")))]
    allowed = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").removeprefix("**/")
            if any(fnmatch.fnmatch(parent, pattern) for parent in parents):
                allowed = line.startswith("!")
    return allowed


@pytest.mark.parametrize("name", DOCKERFILES)
def test_images_do_not_run_as_root(name: str) -> None:
    users = [line.split()[1] for line in dockerfile(name) if line.startswith("USER ")]
    assert users and users[-1] not in ("root", "0")


@pytest.mark.parametrize("name", DOCKERFILES)
def test_hadolint_finds_nothing(name: str) -> None:
    hadolint = shutil.which(
        "hadolint", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    result = subprocess.run([hadolint, ROOT / name], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("name", "module", "hidden"),
    [
        ("Dockerfile.api", "service.wsgi", ("torch", "torchvision", "openvino", "timm", "supervisor")),
        ("Dockerfile.gpu", "trainer.celery_app", NO_API),
        ("Dockerfile.gpu", "trainer.training.runs.child", NO_API),
        ("Dockerfile.gpu", "trainer.evaluation.child, trainer.evaluation.evaluate", NO_API),
    ],
)
def test_what_an_image_copies_is_enough_to_import_what_it_runs(
    tmp_path: Path, name: str, module: str, hidden: tuple[str, ...]
) -> None:
    result = in_image(tmp_path, name, hidden, f"import {module}")
    assert result.returncode == 0, result.stderr


def test_the_worker_image_has_the_code_of_everything_that_can_be_chosen(tmp_path: Path) -> None:
    """A training process loads it by name, once somebody asks for it."""
    tables = [name for name, value in vars(catalog).items() if name.isupper() and isinstance(value, Mapping)]
    targets = {
        entry.target.split(":")[0]
        for table in tables
        for entry in getattr(catalog, table).values()
        if isinstance(entry, catalog.Entry)
    }
    assert {"shared.ml.models.unet", "shared.datasets.lgg"} <= targets
    result = in_image(tmp_path, "Dockerfile.gpu", NO_API, f"import {', '.join(sorted(targets))}")
    assert result.returncode == 0, result.stderr


def test_presets_are_in_the_image_of_the_api_which_alone_reads_them() -> None:
    assert "recipes" in copied("Dockerfile.api")
    assert "recipes" not in copied("Dockerfile.gpu")


def in_image(
    tmp_path: Path, name: str, hidden: tuple[str, ...], code: str
) -> "subprocess.CompletedProcess[str]":
    """Run `code` with the project's files that an image holds, and without the packages that it does not."""
    for source in copied(name):
        target = tmp_path / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(
                ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors")
            )
        else:
            shutil.copy(ROOT / source, target)
    hide = f"import sys; sys.modules.update(dict.fromkeys({hidden!r})); {code}"
    return subprocess.run(
        [sys.executable, "-c", hide], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )


def test_servers_of_the_operator_are_known_to_both_and_their_secrets_to_the_worker_only() -> None:
    env = {"DICOMWEB_SERVERS_FILE": "/srv/pacs/servers.toml", "DICOMWEB_SECRETS_DIR": "/srv/pacs/secrets"}
    for service in ("api", "inference-worker"):
        path = environment_of(service, env)["DICOMWEB_SERVERS_FILE"]
        assert path and mounts_of(service, env)[path] == "/srv/pacs/servers.toml:ro"
        assert not environment_of(service, {})["DICOMWEB_SERVERS_FILE"]
    holders = [name for name in OWN if "/srv/pacs/secrets:ro" in mounts_of(name, env).values()]
    assert holders == ["inference-worker"]
