"""docs/configuration.md names every setting that the code reads, and none that it does not."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
READERS = {"text", "integer", "number", "flag", "choice", "folder", "url", "raw", "get", "getenv"}
# Set by the programs for each other, or by the system: nothing for a person to set.
INTERNAL = {"TETHER_PARENT", "STOP_WITH_PARENT", "PROMETHEUS_MULTIPROC_DIR", "CONTENT_LENGTH"}


def read_by(file: Path) -> set[str]:
    """Names that a file reads: reader.integer("NAME"), env.get("NAME"), os.environ["NAME"]."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READERS:
            found |= {
                a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str)
            }
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            found |= {node.slice.value} if isinstance(node.slice, ast.Constant) else set()
    return {name for name in found if NAME.fullmatch(name)}


def settings_in_code() -> set[str]:
    files = [
        file
        for room in ("service", "trainer", "shared", "migrations")
        for file in (ROOT / room).rglob("*.py")
    ]
    return set().union(*(read_by(file) for file in files)) - INTERNAL


def documented() -> list[str]:
    """First columns of the first table of the page."""
    page = (ROOT / "docs" / "configuration.md").read_text().split("\n## ")[0]
    return re.findall(r"^\| `([A-Z0-9_]+)` \|", page, re.MULTILINE)


def test_every_setting_is_documented_once_and_every_documented_setting_is_read() -> None:
    assert sorted(documented()) == sorted(settings_in_code())


def test_the_search_finds_settings_that_surely_exist() -> None:
    assert {"DATA_DIR", "DATABASE_URL", "REDIS_URL", "HOST", "PORT", "DEVICE"} <= settings_in_code()
