"""Split by patient, three ways: no slice of a validation or test patient is ever trained on."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from random import Random


@dataclass(frozen=True)
class Split:
    """Patients of the three parts, sorted."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def to_dict(self) -> dict[str, list[str]]:
        """Plain lists, for JSON."""
        return {name: list(patients) for name, patients in asdict(self).items()}


def split_by_patient(patients: Iterable[str], fractions: tuple[float, float, float], seed: int) -> Split:
    """Shuffle with `seed`, then cut; a part with a fraction above 0 gets at least one patient.

    Raises ValueError when there are fewer patients than parts.
    """
    names = sorted(set(patients))
    Random(seed).shuffle(names)
    held_out = [max(1, round(len(names) * fraction)) if fraction > 0 else 0 for fraction in fractions[1:]]
    validation, test = held_out
    if len(names) - validation - test < 1:
        raise ValueError(f"{len(names)} patients are too few for a split of {fractions}")
    parts = names[validation + test :], names[:validation], names[validation : validation + test]
    return Split(*(tuple(sorted(part)) for part in parts))
