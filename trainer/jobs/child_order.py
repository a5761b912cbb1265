"""What a child process is told to do: the first line that it reads."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class ChildOrder:
    """Plain values and paths of this host, as one line of JSON; `nice` lets others come first."""

    nice: int = field(kw_only=True)

    def to_line(self) -> str:
        """With its end."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Of `to_line`."""
        return cls(**json.loads(line))


def path_or_none(text: str | None) -> Path | None:
    """For the optional paths of an order."""
    return Path(text) if text is not None else None
