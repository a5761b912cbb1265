"""What the projects that some presets follow reported of themselves: a file beside the presets, if there is one."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from shared.contract.config import ConfigError
from shared.registry import strict

# Not .yaml, which would make it a preset.
NAME = "reported.yml"


@dataclass(frozen=True)
class Report:
    """What one project reported, where, on which data, and why no number of ours can be set beside it."""

    recipe: str
    project: str
    source: str
    reported: str
    on: str
    why_not_comparable: str


class Reported:
    """All reports, by preset."""

    def __init__(self, reports: tuple[Report, ...] = ()) -> None:
        self._reports = reports

    def all(self) -> tuple[Report, ...]:
        """In the order of the file."""
        return self._reports

    def of(self, recipe: str | None) -> list[Report]:
        """Those for this preset, in the order of the file."""
        return [report for report in self._reports if report.recipe == recipe]


def read_reported(folder: Path) -> Reported:
    """The folder's `reported.yml`; none where there is no such file. Raises ConfigError that names the place."""
    path = folder / NAME
    if not path.is_file():
        return Reported()
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"RECIPES_DIR has {path}, which is no YAML: {error}") from None
    problems: strict.Problems = {}
    entries = entries if isinstance(entries, list) else [entries]
    reports = [strict.read(Report, entry, problems, f"[{n}]") for n, entry in enumerate(entries)]
    if problems:
        listed = "; ".join(f"{place}: {', '.join(said)}" for place, said in problems.items())
        raise ConfigError(f"RECIPES_DIR has {path}, which cannot be used: {listed}")
    return Reported(tuple(report for report in reports if report is not None))
