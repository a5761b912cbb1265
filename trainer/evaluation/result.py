"""From the numbers of every patient to the result: what counts, what is kept apart, what is to be said about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.contract.cautions import RESEARCH_ONLY, SLICE_SPLIT_WARNING, SYNTHETIC_TRUTH_WARNING, synthetic
from shared.datasets.base import SliceFile
from shared.registry.cards import ModelCard
from trainer.evaluation import statistics
from trainer.evaluation.choosing import ALL, Memory, shown_as, split_by_slice
from trainer.evaluation.detection import detection
from trainer.evaluation.measured import Measured
from trainer.evaluation.numbers import number
from trainer.evaluation.policy import POLICY
from trainer.evaluation.summaries import PatientSample, Units, class_dice, counted, summarise
from trainer.evaluation.words import patients as so_many

_FEW = 10  # patients below which no interval is to be trusted


@dataclass(frozen=True)
class Asked:
    """What was looked at: the dataset in words, the slices of the split, how patients are grouped."""

    dataset: Mapping[str, str]
    split: str
    items: Sequence[SliceFile]
    cohorts: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Answered:
    """What one model made of it; `card` with the flips that were used, `classes` that both sides have.

    `engine` is what ran it, by name, and `device` where.
    """

    card: ModelCard
    engine: str
    device: str
    memory: Memory
    classes: Sequence[str]
    measured: Sequence[Measured]


@dataclass(frozen=True)
class _Sides:
    """Patients with no picture that a model has seen, and the others; `seen_images` of the latter."""

    fresh: list[int]
    seen: list[int]
    seen_images: int


def result_of(asked: Asked, ours: Answered, theirs: Answered | None = None) -> dict[str, Any]:
    """The result, all but `timings_s`."""
    answers = [ours] if theirs is None else [ours, theirs]
    sides = _sides(answers)
    units = Units.of(ours.measured)
    fresh = PatientSample([ours.measured[n] for n in sides.fresh], units)
    overlap = _overlap(answers, sides)
    return {
        "model": _model(ours),
        "against": None if theirs is None else _model(theirs),
        "dataset": dict(asked.dataset),
        "split": asked.split,
        "test_time_augmentation": bool(ours.card.test_time_augmentation),
        "threshold": ours.card.threshold,
        "policy": dict(POLICY),
        "counts": counted(fresh) | {"patients_seen": len(sides.seen), "seen_images": sides.seen_images},
        "overlap": overlap,
        **summarise(fresh),
        "detection": detection(fresh),
        "classes": class_dice(fresh, ours.classes),
        **_tests(fresh, asked.cohorts),
        "comparison": None if theirs is None else _comparison(fresh, sides, theirs),
        "seen": _seen(ours, sides, units),
        "per_patient": _per_patient(asked, answers, sides, units),
        "leak": _leak(asked, answers),
        "warnings": list(_warnings(asked, sides, overlap, units, ours)),
    }


def _sides(answers: Sequence[Answered]) -> _Sides:
    fresh: list[int] = []
    seen: list[int] = []
    images = 0
    for n, one in enumerate(answers[0].measured):
        known = sum(
            any(answer.memory.has(item, digests) for answer in answers)
            for item, digests in zip(one.items, one.digests, strict=True)
        )
        (seen if known else fresh).append(n)
        images += known
    return _Sides(fresh, seen, images)


def _model(answered: Answered) -> dict[str, Any]:
    card = answered.card
    return {
        "id": card.id,
        "name": card.name,
        "version": card.version,
        "architecture": card.architecture,
        "encoder": card.encoder,
        "parameters": card.weights.parameters,
        "threshold": card.threshold,
        "test_time_augmentation": bool(card.test_time_augmentation),
        "engine": answered.engine,
        "device": answered.device,
    }


def _overlap(answers: Sequence[Answered], sides: _Sides) -> dict[str, Any]:
    measured = answers[0].measured
    known = all(answer.memory.known for answer in answers)
    images, seen = sides.seen_images, len(sides.seen)
    of_images = sum(len(one.items) for one in measured)
    who = "the model was" if len(answers) == 1 else "one of the two models was"
    detail = (
        f"{images} of {of_images} pictures, of {so_many(seen)}, are pictures that {who} trained on or chosen by; "
        f"these patients are kept out of the headline."
        if images
        else f"None of the {of_images} pictures is one that {who} trained on or chosen by."
    )
    if not known:
        unknown = ", ".join(answer.card.id for answer in answers if not answer.memory.known)
        detail += (
            f" Which pictures {unknown} learned from was not recorded: there, patients that the card names for "
            "training and validation were taken for seen, whatever their pictures; others may be seen all the same."
        )
    return {
        "known": known,
        "images": images,
        "patients": seen,
        "of_images": of_images,
        "of_patients": len(measured),
        "detail": detail,
    }


def _tests(sample: PatientSample, cohorts: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    areas = sample.predicted_areas_P, sample.true_areas_P, sample.units.area
    scores = {
        one.patient: float(d) for one, d in zip(sample.measured, sample.by_patient["dice"], strict=True)
    }
    return {
        "t_test": statistics.paired_areas(*areas),
        "anova": statistics.anova(scores, cohorts),
        "bland_altman": statistics.bland_altman(*areas),
    }


def _comparison(fresh: PatientSample, sides: _Sides, theirs: Answered) -> dict[str, Any]:
    other = PatientSample([theirs.measured[n] for n in sides.fresh], fresh.units)
    compared = statistics.comparison(fresh.by_patient["dice"], other.by_patient["dice"])
    return compared | {"against": summarise(other)}


def _seen(ours: Answered, sides: _Sides, units: Units) -> dict[str, Any] | None:
    if not sides.seen:
        return None
    return {"patients": len(sides.seen)} | summarise(PatientSample([ours.measured[n] for n in sides.seen], units))


def _per_patient(
    asked: Asked, answers: Sequence[Answered], sides: _Sides, units: Units
) -> list[dict[str, Any]]:
    ours, *others = answers
    sample, seen = PatientSample(ours.measured, units), set(sides.seen)
    # At most one other model.
    theirs = [PatientSample(other.measured, units).by_patient["dice"] for other in others]
    values = sample.by_patient
    rows = []
    for n, one in enumerate(ours.measured):
        row = {
            "patient": shown_as(one.patient),
            "slices": len(one.items),
            **{name: number(values[name][n]) for name in ("dice", "iou", "precision", "recall", "hd95")},
            "predicted_area": number(sample.predicted_areas_P[n]),
            "true_area": number(sample.true_areas_P[n]),
            "groups": {by: of[one.patient] for by, of in asked.cohorts.items() if one.patient in of},
            "seen": n in seen,
        }
        rows.append(row | ({"dice_against": number(theirs[0][n])} if theirs else {}))
    return sorted(rows, key=lambda row: row["patient"])


def _leak(asked: Asked, answers: Sequence[Answered]) -> str | None:
    by_slice = [answer.card.id for answer in answers if split_by_slice(answer.card)]
    if not by_slice:
        return None
    said = f"{' and '.join(by_slice)}: {SLICE_SPLIT_WARNING}"
    if asked.split == ALL:
        said += (
            " Here every patient with a picture that the model is known to have seen is kept out of the headline, "
            "so that the headline does not suffer from it."
        )
    return said


def _warnings(
    asked: Asked, sides: _Sides, overlap: Mapping[str, Any], units: Units, ours: Answered
) -> list[str]:
    found = [RESEARCH_ONLY]
    if synthetic(asked.dataset["truth"]):
        found.append(SYNTHETIC_TRUTH_WARNING)
    if not sides.fresh:
        found.append(
            f"There is no headline: all {so_many(len(sides.seen))} have pictures that the model was trained on or "
            "chosen by. Their numbers are in `seen`, and say nothing about new patients."
        )
    elif len(sides.fresh) < _FEW:
        found.append(
            f"These numbers rest on {so_many(len(sides.fresh))}: intervals of so few are themselves uncertain, "
            "and mostly too narrow."
        )
    if sides.seen or not overlap["known"]:
        found.append(str(overlap["detail"]))
    spacings = [one.pixel_mm2 is not None for one in ours.measured]
    if any(spacings) and not units.millimetres:
        found.append(
            f"The pixel spacing of {so_many(spacings.count(False))} is not known, so that all areas and distances are "
            "in pixels, which are not of the same size for all."
        )
    return found
