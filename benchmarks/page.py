"""docs/benchmarks.md: a part for each kind of measurement, replaced when it is measured again."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

PARTS = ("serving", "volumes", "pages", "training")
_HEAD = (
    "# Benchmarks\n\n"
    "Written by `make bench`: each part from one run on one machine, clients included. "
    '`make bench ARGS="--only training"` measures one part and leaves the others as they are.'
)
_MARK = re.compile(r"<!-- part: (\w+) -->\n")


def write(path: Path, measured: Mapping[str, str]) -> None:
    """Replace or add the measured parts (Markdown from `##` on); the others stay."""
    kept = _parts(path.read_text(encoding="utf-8")) if path.is_file() else {}
    parts = kept | dict(measured)
    blocks = [f"<!-- part: {name} -->\n{parts[name].strip()}" for name in PARTS if name in parts]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join([_HEAD, *blocks]) + "\n", encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def facts(lines: Sequence[str]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def _parts(text: str) -> dict[str, str]:
    _, *rest = _MARK.split(text)
    return dict(zip(rest[::2], rest[1::2], strict=True))
