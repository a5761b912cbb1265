"""A class name means one thing: whoever reads it in the worker need not ask which."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("service", "trainer", "shared")


def classes() -> dict[str, list[str]]:
    """Name -> the files that define a class of this name."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(str(path.relative_to(ROOT)))
    return found


# Its names are to follow once serving and evaluation share one path.
EXCEPT = "trainer/training/assess.py"


def test_no_class_of_the_worker_has_the_name_of_another() -> None:
    twice = {name: files for name, files in classes().items() if len(files) > 1 and EXCEPT not in files}
    assert not {name: files for name, files in twice.items() if any(f.startswith("trainer/") for f in files)}
