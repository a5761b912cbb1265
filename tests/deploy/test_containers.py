"""The container files: the same commands as `make run`, nothing secret, nothing missing."""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service import processes
from shared.contract.names import Queue
from tests.deploy.compose import OWN, ROOT, command_of, compose, copied, docker_command, dockerfile

DOCKERFILES = ("Dockerfile.api", "Dockerfile.gpu")


def test_the_services_run_the_command_lines_of_make_run() -> None:
    assert command_of("api") == processes.api_command()
    assert command_of("inference-worker") == processes.worker_command(Queue.INFERENCE)
    assert command_of("training-worker") == processes.worker_command(Queue.TRAINING)
    assert command_of("redis") == processes.redis_command(["--port", "6379"])


def test_the_images_start_what_they_are_for_without_a_command_too() -> None:
    assert docker_command("Dockerfile.api") == processes.api_command()
    assert docker_command("Dockerfile.gpu") == processes.worker_command(Queue.INFERENCE)


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


def test_named_volumes_hold_what_must_survive() -> None:
    mounted = {v.split(":")[0] for s in compose()["services"].values() for v in s.get("volumes", [])}
    assert mounted == set(compose()["volumes"]) == {"data", "postgres"}


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
        ("Dockerfile.gpu", "trainer.celery_app", ("flask", "flask_smorest", "gunicorn", "supervisor")),
    ],
)
def test_what_an_image_copies_is_enough_to_import_what_it_runs(
    tmp_path: Path, name: str, module: str, hidden: tuple[str, ...]
) -> None:
    """In a folder with only the copied files, and without the packages that the image does not install."""
    for source in copied(name):
        target = tmp_path / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(
                ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors")
            )
        else:
            shutil.copy(ROOT / source, target)
    hide = f"import sys; sys.modules.update(dict.fromkeys({hidden!r})); import {module}"
    result = subprocess.run(
        [sys.executable, "-c", hide], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert result.returncode == 0, result.stderr
