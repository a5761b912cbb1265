"""What the report of a training run shows, put together from its row, its dataset, its model and pictures."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from service.intake.presets import Presets
from service.presentation.documents import timestamp, training_run
from shared.contract.cautions import RESEARCH_ONLY, SLICE_SPLIT_WARNING, SYNTHETIC_TRUTH_WARNING, synthetic
from shared.contract.errors import InvalidFields, NotFound
from shared.database.models import Models
from shared.files.paths import run_picture_path
from shared.files.store import FileStore
from shared.jobs.datasets import Datasets, DatasetView
from shared.jobs.training_runs import RunView
from shared.registry.cards import ModelCard
from shared.reported import Reported

# Said in words elsewhere on the page, or not of the network.
_ELSEWHERE = ("name", "description", "card")
_FIRST_COLUMNS = ("epoch", "train_loss", "validation_loss", "validation_dice")
_PICTURES = (("curves", "Loss and Dice by epoch"), ("samples", "Slices of validation patients"))
_VARIANTS = {
    "as_uploaded": "as they are",
    "grey_flair": "FLAIR alone, in grey",
    "sixteen_bit": "stored as 16 bit",
}


class RunReports:
    """Reports as values for the template; a dataset or model that was deleted meanwhile is said to be."""

    def __init__(
        self, *, datasets: Datasets, models: Models, files: FileStore, presets: Presets, reported: Reported
    ) -> None:
        self._datasets, self._models, self._files = datasets, models, files
        self._presets, self._reported = presets, reported

    def values(self, run: RunView, *, root: str = "") -> dict[str, Any]:
        """Everything that the page says; `root` is what stands before /v1."""
        dataset, card = self._dataset(run), self._card(run)
        epochs = [_with_classes(epoch) for epoch in run.epochs]
        columns = _columns(epochs)
        return {
            "run": training_run(run, root=root),
            "ended": run.ended,
            "description": run.specification.get("description", ""),
            "words": run.specification.get("card", {}),
            "times": [
                (name, (timestamp(at) or "")[:19].replace("T", " "))
                for name, at in (
                    ("Accepted", run.created_at),
                    ("Started", run.started_at),
                    ("Ended", run.finished_at),
                )
                if at is not None
            ],
            "warnings": [*_warnings(run, dataset)],
            "fields": [*self._fields(run)],
            "dataset": _described(dataset),
            "pictures": [*self._pictures(run)],
            "columns": columns,
            "epochs": [[_cell(epoch.get(column)) for column in columns] for epoch in epochs],
            "card": card,
            "figures": [*_figures(card)] if card else [],
            "model_link": f"{root}/v1/models/{run.model_id}",
            "reported": self._reported.of(run.recipe),
            "research_only": RESEARCH_ONLY,
        }

    def _dataset(self, run: RunView) -> DatasetView | None:
        with suppress(NotFound):
            return self._datasets.get(run.dataset_id)
        return None

    def _card(self, run: RunView) -> ModelCard | None:
        with suppress(NotFound):
            return self._models.get(run.model_id).card if run.model_id else None
        return None

    def _fields(self, run: RunView) -> Iterator[tuple[str, str, bool]]:
        """Name and value of each decision, and whether the preset had another."""
        preset: dict[str, str] | None = None
        with suppress(InvalidFields):  # the operator has removed it since
            preset = dict(_flat(self._presets.get(run.recipe).recipe.to_dict())) if run.recipe else None
        for name, value in _flat(run.specification):
            yield name, value, preset is not None and preset.get(name) != value

    def _pictures(self, run: RunView) -> Iterator[tuple[str, str]]:
        for name, title in _PICTURES:
            with suppress(FileNotFoundError):
                png = self._files.read(run_picture_path(run.id, name))
                yield title, f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _warnings(run: RunView, dataset: DatasetView | None) -> Iterator[str]:
    if run.specification.get("split") == "slice":
        yield SLICE_SPLIT_WARNING
    if synthetic(str(((dataset and dataset.report) or {}).get("truth", ""))):
        yield SYNTHETIC_TRUTH_WARNING


def _described(dataset: DatasetView | None) -> list[tuple[str, str]] | None:
    """None where it was deleted."""
    if dataset is None:
        return None
    report = dataset.report or {}
    share = report.get("tumour_share")
    rows = {
        "Name": dataset.name,
        "Format": dataset.format,
        "Patients": report.get("patients"),
        "Slices": report.get("slices"),
        "Slices with tumour": report.get("tumour_slices"),
        "Share of tumour in all pixels": f"{share:.3%}" if isinstance(share, float) else None,
        "Channels": ", ".join(report.get("modalities") or ()) or report.get("channels"),
        "Classes of tumour": ", ".join(report.get("classes") or ()) or None,
        "Masks": report.get("truth"),
        "SHA-256 of the archive": dataset.archive_sha256,
    }
    return [(name, str(value)) for name, value in rows.items() if value is not None]


def _flat(values: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if not place and name in _ELSEWHERE:
            continue
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{place}{name}.")
        else:
            yield f"{place}{name}", _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value) or "none"
    if value is None or value == {}:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _with_classes(epoch: Mapping[str, Any]) -> dict[str, Any]:
    """Figures by class of tumour beside the others."""
    plain = {name: value for name, value in epoch.items() if not isinstance(value, Mapping)}
    nested = {name: value for name, value in epoch.items() if isinstance(value, Mapping)}
    return plain | {f"{name} {label}": figure for name, of in nested.items() for label, figure in of.items()}


def _columns(epochs: Sequence[Mapping[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for epoch in epochs for name in epoch)
    return [name for name in _FIRST_COLUMNS if name in names] + [n for n in names if n not in _FIRST_COLUMNS]


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _figures(card: ModelCard) -> Iterator[tuple[str, str, str, str, int]]:
    """Volume Dice of the test patients: how they were sent, mean, its interval, median, how many."""
    for variant, figure in card.metrics.get("volume_dice", {}).items():
        low, high = figure["ci95"]
        yield (
            _VARIANTS.get(variant, variant),
            f"{figure['mean']:.3f}",
            f"{low:.3f} to {high:.3f}",
            f"{figure['median']:.3f}",
            figure["patients"],
        )
