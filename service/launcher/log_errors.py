"""What the programs of an embedded run complain of in their logs (one JSON object a line), in short sentences."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Complaints:
    """Lines of level `error` and above that are written from now on; each sentence is told once."""

    def __init__(self, logs: Iterable[Path]) -> None:
        self._read_to = {log: log.stat().st_size if log.exists() else 0 for log in logs}
        self._told: set[str] = set()

    def new(self) -> list[str]:
        """Sentences not told before, each beginning with the program's name."""
        found = [f"{log.stem:<10} {text}" for log in self._read_to for text in self._errors(log)]
        fresh = [sentence for sentence in dict.fromkeys(found) if sentence not in self._told]
        self._told.update(fresh)
        return fresh

    def _errors(self, log: Path) -> list[str]:
        try:
            with log.open("rb") as file:
                file.seek(self._read_to[log])
                whole_lines = file.read().rpartition(b"\n")[0]
        except OSError:  # not there yet
            return []
        self._read_to[log] += len(whole_lines) + 1 if whole_lines else 0
        return [text for line in whole_lines.splitlines() if (text := _sentence(line))]


def _sentence(line: bytes) -> str | None:
    """`event: the end of the exception` of an error line, else None."""
    try:
        entry: dict[str, Any] = json.loads(line)
        if entry["level"] not in ("error", "critical"):
            return None
        reason = str(entry.get("exception") or entry.get("error") or entry.get("detail") or "")
    except (ValueError, KeyError, TypeError):
        return None
    last = reason.strip().splitlines()[-1:] or [""]
    return f"{entry.get('event', 'error')}: {last[0]}".removesuffix(": ")
