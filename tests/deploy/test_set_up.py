"""What `make` does before anything else: finding a Python, listing its targets, installing once."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.compose import ROOT

FIND = ROOT / "requirements" / "find_python.sh"


def find_python(path: Path, wanted: str = "") -> subprocess.CompletedProcess[str]:
    """Run the search with nothing but `path` on the PATH."""
    return subprocess.run(["/bin/sh", FIND, wanted], env={"PATH": str(path)}, capture_output=True, text=True)


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_python_that_is_too_old_is_passed_over_for_one_that_is_not(tmp_path: Path) -> None:
    script(tmp_path / "python3", "exit 1")
    script(tmp_path / "python3.12", f'exec {sys.executable} "$@"')
    assert find_python(tmp_path).stdout.strip() == "python3.12"


def test_without_a_python_a_sentence_says_what_to_install(tmp_path: Path) -> None:
    result = find_python(tmp_path)
    assert result.returncode == 1
    assert "Python 3.11 to 3.14" in result.stderr and "apt install python3" in result.stderr


def test_a_named_python_that_does_not_do_is_refused_rather_than_replaced(tmp_path: Path) -> None:
    script(tmp_path / "python3", f'exec {sys.executable} "$@"')
    script(tmp_path / "old", "exit 1")
    result = find_python(tmp_path, wanted="old")
    assert result.returncode == 1 and "old" in result.stderr


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> str:
    """make, as if it were not make that runs the tests."""
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        monkeypatch.delenv(name, raising=False)
    found = shutil.which("make")
    if found is None:
        pytest.skip("make is not installed")
    return found


def test_help_lists_every_target(make: str) -> None:
    # Started by another make, as `make test` does, make also tells where it enters and leaves.
    quiet = [make, "--no-print-directory", "help"]
    shown = subprocess.run(quiet, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split()[1] for line in shown.splitlines()] == [
        "run",
        "test",
        "test-service",
        "test-shared",
        "test-slow",
        "lint",
        "bench",
        "screenshots",
        "help",
    ]


@pytest.mark.parametrize("target", ["run", "test", "test-slow", "lint", "bench"])
def test_every_target_sets_itself_up_in_an_empty_clone(make: str, target: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    plan = subprocess.run(
        [make, "-n", target], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "-m venv" in plan and "-r requirements/api.txt -r requirements/gpu.txt" in plan
    assert ("-r requirements/test.txt" in plan) == (target != "run")


@pytest.mark.parametrize("target", ["test-service", "test-shared"])
def test_the_light_tests_set_up_an_environment_of_their_own_without_torch(
    make: str, target: str, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    plan = subprocess.run(
        [make, "-n", target], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "-m venv --clear .venv-light" in plan
    assert "-r requirements/api.txt -r requirements/embedded.txt -r requirements/test-light.txt" in plan
    assert "gpu.txt" not in plan and "requirements/test.txt" not in plan


def test_the_ci_runs_the_three_checks_and_is_valid_shell() -> None:
    text = (ROOT / ".ci" / "run").read_text()
    assert "for target in lint test test-slow" in text
    assert subprocess.run(["/bin/sh", "-n", ROOT / ".ci" / "run"]).returncode == 0
