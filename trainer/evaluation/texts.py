"""How the report words and prints a result's numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.evaluation.words import amount, patients, unit_name

NOTHING = "–"
_LEVELS = ("slice", "patient", "pooled")


@dataclass(frozen=True)
class MeasureRow:
    """A row of the table of measures: a cell for each of slice, patient and pooled."""

    name: str
    meaning: str
    cells: tuple[Mapping[str, Any], ...]
    areas: bool  # printed as amounts of a unit, not as shares of 1


def three(value: float | None) -> str:
    """A share of 1."""
    return NOTHING if value is None else f"{value:.3f}"


def figure(value: float | None) -> str:
    """An amount."""
    return NOTHING if value is None else amount(value)


def between(ends: Sequence[float] | None, *, areas: bool = False) -> str:
    """An interval."""
    if ends is None:
        return NOTHING
    low, high = (amount(end) if areas else three(end) for end in ends)
    return f"{low} to {high}"


def unit(name: str) -> str:
    """As it is printed."""
    return unit_name(name)


def many(n: int, one: str) -> str:
    """With its number, in the plural where it takes that."""
    return f"{n:,} {one}" if n == 1 else f"{n:,} {one}s"


def truth(dataset: Mapping[str, str], *, synthetic: bool) -> str:
    """What the model is compared with."""
    if synthetic:
        return f"{dataset['truth']}: nobody outlined these tumours"
    return dataset["truth"]


def headline(result: Mapping[str, Any], *, synthetic: bool) -> str:
    """What the first number means, in words."""
    dice, rows = result["dice"]["patient"], [row for row in result["per_patient"] if not row["seen"]]
    if dice["mean"] is None:
        return "There is no headline number: no patient is left that the model has not learned from."
    what = "the synthetic circle" if synthetic else "the truth"
    meaning = (
        f"Of each patient's volume, the mean over {patients(dice['n'])}. "
        f"1 would mean that every pixel agrees with {what}, 0 that none does. "
    )
    worst, best = min(row["dice"] for row in rows), max(row["dice"] for row in rows)
    if dice["n"] > 1:
        meaning += f"Half of the patients lie above {three(dice['median'])}; "
        meaning += f"they reach from {three(worst)} to {three(best)}. "
    if empty := result["counts"]["both_empty_patients"]:
        with_tumour = [row["dice"] for row in rows if row["true_area"]]
        mean = three(sum(with_tumour) / len(with_tumour)) if with_tumour else NOTHING
        meaning += (
            f"{patients(empty)} without tumour, rightly left empty, counted as 1; with tumour alone: {mean}. "
        )
    if synthetic:
        meaning += (
            "The circles were placed by brightness, so this says how well the model follows that rule, not how well it "
            "outlines tumours; tumour yes or no, below, does not depend on the circles."
        )
    elif dice["ci95"] is not None:
        meaning += (
            "The interval says within what the mean of other patients from the same place would likely lie; another "
            "hospital's may well lie outside."
        )
    return meaning


def measures(result: Mapping[str, Any], *, synthetic: bool) -> list[MeasureRow]:
    """The rows of the table."""
    agreement = "pixels in agreement" if synthetic else "pixel accuracy"
    shares = (
        ("dice", "Dice", "twice what both share, of both together"),
        ("iou", "IoU", "what both share, of all that either holds"),
        ("precision", "precision", "of what is predicted, the share that is true"),
        ("recall", "recall", "of what is true, the share that is found"),
        (
            "specificity",
            "specificity",
            "of what is not tumour, the share that is left alone; nearly 1 for any model",
        ),
        ("accuracy", agreement, "of all pixels, the share that is right; nearly 1 even for an empty mask"),
    )
    distance, area = unit_name(result["hd95"]["unit"]), unit_name(result["area_error"]["unit"])
    rows = [MeasureRow(title, meaning, _cells(result[key]), False) for key, title, meaning in shares]
    rows.append(
        MeasureRow(f"HD95, {distance}", "distance of the outlines; 0 is best", _cells(result["hd95"]), True)
    )
    rows.append(
        MeasureRow(f"area error, {area}", "predicted minus true; 0 is best", _cells(result["area_error"]), True)
    )
    return rows


def _cells(values: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(values[level] for level in _LEVELS)
