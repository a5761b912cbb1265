"""The fences between the rooms: they hold, and they notice when somebody climbs over."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("service", "trainer", "shared")
# What loads torch, or belongs to the worker.
HEAVY = (
    "torch",
    "torchvision",
    "openvino",
    "timm",
    "segmentation_models_pytorch",
    "monai",
    "trainer",
    "shared.ml",
)


# What only the workers install besides (requirements/gpu.txt); nibabel takes some where it finds them.
WORKERS = (
    "pydicom",
    "highdicom",
    "gdcm",
    "dicomweb_client",
    "requests",
    "scipy",
    "matplotlib",
    "safetensors",
)


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts of pyproject.toml over the rooms in `root`."""
    code = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as c; c()"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache", "--no-logo"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=100,
    )


def in_a_fresh_interpreter(code: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=100)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The rooms and the contracts, to be broken."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_all_contracts_hold() -> None:
    report = lint_imports(ROOT)
    assert report.returncode == 0, report.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("service/web/allowed_hosts.py", "import torch", "never reaches torch"),
        ("service/web/allowed_hosts.py", "def f():\n    from openvino import Core", "never reaches torch"),
        ("service/web/allowed_hosts.py", "from shared.ml import predict", "never reaches torch"),
        ("service/web/allowed_hosts.py", "import trainer.settings", "siblings"),
        ("service/web/allowed_hosts.py", "import pydicom", "leaves DICOM and scipy"),
        ("service/web/allowed_hosts.py", "from shared.masks import regions", "leaves DICOM and scipy"),
        ("shared/volumes/grid.py", "import shared.jobs.lease", "imports go down only"),
        ("shared/jobs/lease.py", "import shared.masks.rle", "imports go down only"),
        ("shared/pictures/picture.py", "import torch", "never reaches torch"),
        ("shared/files/store.py", "import shared.ml.checkpoint", "never reaches torch"),
        ("shared/files/store.py", "import shared.pictures.picture", "imports go down only"),
        ("shared/contract/names.py", "import shared.catalog", "imports go down only"),
        ("shared/catalog.py", "import shared.database.tables", "imports go down only"),
        ("shared/ml/checkpoint.py", "import flask", "never reach Flask"),
        ("trainer/celery_app.py", "import service.settings", "siblings"),
        ("trainer/celery_app.py", "import flask", "never reach Flask"),
        ("trainer/metrics/overlap.py", "import trainer.jobs.lease", "inside trainer imports"),
        ("trainer/inference/worker.py", "import trainer.volumes.forward", "inside trainer imports"),
        ("trainer/training/run.py", "import trainer.evaluation.evaluate", "inside trainer imports"),
        ("service/web/auth.py", "import service.intake.slices", "inside service imports"),
        ("service/intake/slices.py", "import service.presentation.documents", "inside service imports"),
        ("service/presentation/documents.py", "import service.container", "inside service imports"),
        ("service/api/models.py", "import service.pages.login", "inside service imports"),
        ("service/launcher/watch.py", "import service.app", "launcher stands apart"),
        ("service/intake/slices.py", "from flask import request", "knows no Flask"),
        ("service/presentation/run_events.py", "import werkzeug", "knows no Flask"),
    ],
)
def test_breaking_a_fence_is_noticed(copy: Path, file: str, line: str, contract: str) -> None:
    with (copy / file).open("a") as source:
        source.write(f"\n{line}\n")
    report = lint_imports(copy)
    assert report.returncode != 0
    broken = [name for name in report.stdout.splitlines() if name.strip().endswith("BROKEN")]
    assert any(contract in name for name in broken), report.stdout


def test_a_package_that_is_new_in_shared_must_find_its_layer(copy: Path) -> None:
    (copy / "shared" / "drawer.py").write_text('"""Everything."""\n')
    assert lint_imports(copy).returncode != 0


def test_the_server_settings_which_the_linter_cannot_see_import_no_torch_either() -> None:
    tree = ast.parse((ROOT / "service" / "gunicorn.conf.py").read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in names if name.startswith(HEAVY)}


def test_the_contract_needs_the_standard_library_only() -> None:
    graph = grimp.build_graph("shared", include_external_packages=True, cache_dir=None)
    inside = graph.find_descendants("shared.contract") | {"shared.contract"}
    reached = {imported for module in inside for imported in graph.find_modules_directly_imported_by(module)}
    outside = {name.split(".")[0] for name in reached - inside} - set(sys.stdlib_module_names)
    assert outside == set()


def test_the_api_loads_neither_torch_nor_the_worker() -> None:
    code = f"""if True:
        import sys
        import service.app, service.wsgi
        heavy = {HEAVY!r}
        print(sorted(name for name in sys.modules if name in heavy))
    """
    result = in_a_fresh_interpreter(code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"


def test_the_api_starts_where_torch_is_not_installed() -> None:
    code = f"""if True:
        import sys
        for name in {(*HEAVY, *WORKERS)!r}:
            sys.modules[name] = None
        import service.app
    """
    result = in_a_fresh_interpreter(code)
    assert result.returncode == 0, result.stderr


def test_the_worker_does_not_load_flask() -> None:
    code = "import sys, trainer.celery_app; print([n for n in ('flask', 'service') if n in sys.modules])"
    result = in_a_fresh_interpreter(code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"


def test_every_package_file_is_empty() -> None:
    full = [file for room in ROOMS for file in (ROOT / room).rglob("__init__.py") if file.read_text().strip()]
    assert full == []


def test_every_folder_with_code_is_a_package() -> None:
    folders = {file.parent for room in ROOMS for file in (ROOT / room).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_nothing_is_called_utils() -> None:
    drawers = {"utils.py", "helpers.py", "misc.py"}
    assert [file for room in ROOMS for file in (ROOT / room).rglob("*.py") if file.name in drawers] == []
