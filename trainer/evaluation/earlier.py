"""What earlier projects reported of themselves, from recipes/reported.yml."""

from dataclasses import dataclass, fields
from pathlib import Path

import yaml

REPORTED = Path(__file__).parents[2] / "recipes" / "reported.yml"


@dataclass(frozen=True)
class Reported:
    """One project's own number: what it was measured on, and why it cannot be set against ours."""

    recipe: str
    project: str
    source: str
    reported: str
    on: str
    why_not_comparable: str


def reported(path: Path = REPORTED) -> list[Reported]:
    """As the file has them; none where it is not there. An entry that lacks something is left out."""
    if not path.is_file():
        return []
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    names = [field.name for field in fields(Reported)]
    return [
        Reported(**{name: str(entry[name]).strip() for name in names})
        for entry in entries or []
        if isinstance(entry, dict) and all(name in entry for name in names)
    ]
