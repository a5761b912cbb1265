"""What the labels of BraTS mean, by the names of the cases: never by which labels a case happens to have.

    2013                1 necrosis, 2 oedema, 3 non-enhancing tumour, 4 enhancing tumour
    2014 to 2016        the same
    2017 to 2022        1 necrosis and non-enhancing tumour, 2 oedema, 4 enhancing tumour
    from 2023           1 necrosis and non-enhancing tumour, 2 oedema, 3 enhancing tumour
    gliomas after treatment, and metastases (2024 on): 4 is the resection cavity beside them
    paediatric          1 enhancing, 2 non-enhancing, 3 cystic component, 4 oedema

Here: 1 necrotic core (with non-enhancing tumour), 2 oedema, 3 enhancing. Names of 2023 and later say their year. Others
do not, and sets were relabelled since: there, the labels of the whole set decide.
"""

from collections.abc import Iterable
from dataclasses import dataclass

CORE, OEDEMA, ENHANCING, NOTHING = 1, 2, 3, 0
HIGHEST = 4


@dataclass(frozen=True)
class Meaning:
    """`classes[label]` is the place in CLASSES from 1, or 0; `said`: a sentence where it needs one."""

    classes: tuple[int, int, int, int, int]
    said: str = ""


_FROM_2023 = Meaning(
    (NOTHING, CORE, OEDEMA, ENHANCING, NOTHING),
    "In these names label 4 is a resection cavity (from 2024 on): it is left out as no tumour, and 3 is enhancing.",
)
_PAEDIATRIC = Meaning(
    (NOTHING, ENHANCING, CORE, CORE, OEDEMA),
    "Paediatric labels: 1 was taken as enhancing, 2 (non-enhancing) and 3 (cystic) as core, label 4 as oedema.",
)
_WITH_3_AND_4 = Meaning(
    (NOTHING, CORE, OEDEMA, CORE, ENHANCING),
    "Cases of this set have labels 3 and 4, as until 2016: label 3 was taken as core, label 4 as enhancing, in all.",
)
_OLDER = Meaning((NOTHING, CORE, OEDEMA, CORE, ENHANCING))  # named like those of 2013
_WITH_4 = Meaning((NOTHING, CORE, OEDEMA, CORE, ENHANCING))
_WITH_3 = Meaning((NOTHING, CORE, OEDEMA, ENHANCING, ENHANCING))


def meaning_by_name(task: str | None, non_enhancing_3: bool) -> Meaning | None:
    """Of a case whose name tells; None where only the set can."""
    if task is not None:
        return _PAEDIATRIC if task == "ped" else _FROM_2023
    return _OLDER if non_enhancing_3 else None


def meaning_of_set(labels: Iterable[int]) -> Meaning:
    """Of cases whose names do not tell, by the labels that all of them have together."""
    there = set(labels)
    if {3, 4} <= there:
        return _WITH_3_AND_4
    return _WITH_4 if 4 in there else _WITH_3


def needs_a_word(meaning: Meaning, labels: Iterable[int]) -> bool:
    """Whether a person should know how these labels were read."""
    there = set(labels)
    if meaning is _FROM_2023:
        return 4 in there
    return bool(meaning.said) and bool(there - {0})

