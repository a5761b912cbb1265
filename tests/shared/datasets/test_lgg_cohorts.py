"""What the patients of the LGG dataset can be grouped by, and that the table with it tells no patients apart."""

from pathlib import Path

import pytest

from shared.datasets.detect import open_auto
from shared.datasets.lgg import LggDataset
from tests.fakes.study import make_study

HEAD = "Patient,histological_type,neoplasm_histologic_grade,gender\n"
NAMES = ["TCGA_XX_0000_20000101", "TCGA_XX_0001_20000101"]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path, patients=2, slices=3)


def test_the_institution_is_in_the_name(study: Path) -> None:
    assert LggDataset(study).cohorts() == {"institution": dict.fromkeys(NAMES, "XX")}


@pytest.mark.parametrize("place", ["data.csv", "kaggle_3m/data.csv"])
def test_grade_and_type_are_in_the_table(place: str, study: Path) -> None:
    (study / place).write_text(f"{HEAD}TCGA_XX_0000,3,1,2\nTCGA_XX_0001,1,2,1\nTCGA_XX_0009,1,2,1\n")
    cohorts = LggDataset(study).cohorts()
    assert cohorts["grade"] == dict(zip(NAMES, ["G2", "G3"], strict=True))
    assert cohorts["histological type"] == dict(zip(NAMES, ["type 3", "type 1"], strict=True))
    assert {item.patient for item in open_auto(study).slices()} == set(NAMES)


@pytest.mark.parametrize(
    "table", ["", "a,b\n1,2\n", f"{HEAD}TCGA_XX_0000,,,\n", '\x00\n"', f"{HEAD}TCGA_XX_0000\n"]
)
def test_a_table_of_something_else_groups_nobody(table: str, study: Path) -> None:
    (study / "data.csv").write_text(table)
    assert list(LggDataset(study).cohorts()) == ["institution"]


def test_patients_with_names_of_their_own_are_in_no_institution(study: Path) -> None:
    (study / "kaggle_3m" / NAMES[0]).rename(study / "kaggle_3m" / "anna")
    assert LggDataset(study).cohorts() == {"institution": {NAMES[1]: "XX"}}
