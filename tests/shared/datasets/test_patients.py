"""Telling patients apart, and patterns of clients that must not hold the process up."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract.errors import DatasetError
from shared.datasets.image_mask import ImageMaskDataset
from shared.datasets.patients import split_number
from shared.datasets.patterns import MAX_PATH, compile_pattern, find
from tests.fakes.datasets import lay_out


def patients(root: Path, names: list[str], extra: dict[str, bytes] | None = None, **options: str):
    files = {name: b"" for image in names for name in (f"{image}.png", f"{image}_mask.png")}
    contents = ImageMaskDataset(lay_out(root, files | (extra or {})), **options).contents()
    return {str(item.image.with_suffix("")): (item.patient, item.index) for item in contents.slices}, contents


def test_a_folder_is_a_patient(tmp_path: Path) -> None:
    found, contents = patients(tmp_path, ["data/A/1", "data/A/2", "data/B/7"])
    assert found == {"data/A/1": ("A", 1), "data/A/2": ("A", 2), "data/B/7": ("B", 7)}
    assert contents.patients_from == "folder" and not contents.findings


def test_folders_inside_a_patients_folder_are_no_patients(tmp_path: Path) -> None:
    found, _ = patients(tmp_path, ["A/s1/1", "A/s2/1", "B/s1/1"])
    assert [patient for patient, _ in found.values()] == ["A", "A", "B"]
    assert sorted(found.values()) == [("A", 0), ("A", 1), ("B", 1)]  # numbers twice: places in the list


def test_folders_of_a_split_are_no_patients(tmp_path: Path) -> None:
    found, _ = patients(tmp_path, ["train/A/1", "test/A/2", "val/B/1"])
    assert [patient for patient, _ in found.values()] == ["A", "A", "B"] or sorted(found.values()) == [
        ("A", 1), ("A", 2), ("B", 1)
    ]  # fmt: skip


def test_without_folders_the_name_without_its_number_is_the_patient(tmp_path: Path) -> None:
    found, contents = patients(tmp_path, ["anna_01", "anna_02", "bert (1)", "17"])
    assert found == {
        "anna_01": ("anna", 1),
        "anna_02": ("anna", 2),
        "bert (1)": ("bert", 1),
        "17": ("17", 17),
    }
    assert [finding.code for finding in contents.findings] == ["patients_by_file_name"]


def test_a_pattern_wins(tmp_path: Path) -> None:
    found, contents = patients(
        tmp_path,
        ["A/x-P1-1", "B/x-P1-2", "B/x-P2-1"],
        {"a.csv": b"file,patient\n"},
        patient_pattern=r"-(P\d)-",
    )
    assert [patient for patient, _ in found.values()] == ["P1", "P1", "P2"]
    assert contents.patients_from == "pattern"


def test_a_pattern_that_finds_nothing_names_the_files(tmp_path: Path) -> None:
    _, contents = patients(tmp_path, ["P1-1", "x"], patient_pattern=r"(P\d)-")
    assert [(f.level, f.code, f.files) for f in contents.findings] == [
        ("error", "patient_unknown", ("x.png",))
    ]


@pytest.mark.parametrize("head", ["file,patient", "\ufeffPatient_ID,Filename", "age,patient,image"])
def test_a_table_tells_patients(head: str, tmp_path: Path) -> None:
    columns = head.lower().lstrip("\ufeff").split(",")
    row = {
        "file": "A/1.png",
        "filename": "A/1.png",
        "image": "1.png",
        "patient": "anna",
        "patient_id": "anna",
        "age": "7",
    }
    table = f"{head}\n{','.join(row[name] for name in columns)}\n".encode()
    found, contents = patients(tmp_path, ["A/1"], {"table.csv": table})
    assert found == {"A/1": ("anna", 1)} and contents.patients_from == "csv"
    _, contents = patients(tmp_path, ["A/2"])
    assert [f.code for f in contents.findings] == ["patient_unknown"]


@pytest.mark.parametrize("between", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("path", ["images/1.png", "./images/1.png", "images\\1.png", "study/images/1.png"])
def test_a_table_as_spreadsheets_write_it(between: str, encoding: str, path: str, tmp_path: Path) -> None:
    table = f"file{between}patient\r\n{path}{between}änne\r\n".encode(encoding)
    found, contents = patients(tmp_path, ["study/images/1"], {"study/table.csv": table})
    assert found == {"study/images/1": ("änne", 1)} and contents.patients_from == "csv"


def test_a_table_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    table = {"t.csv": b"file,patient\nA/1.png,anna\nA/1.png,anna\nA/1.png,bert\n"}
    with pytest.raises(DatasetError, match=r"t\.csv gives two patients for A/1\.png"):
        patients(tmp_path, ["A/1"], table)


def test_a_table_of_something_else_is_no_table_of_patients(tmp_path: Path) -> None:
    found, _ = patients(
        tmp_path, ["A/1", "B/1"], {"data.csv": b"Patient,age\nA,7\n", "b.csv": b'\xff\x00\n"', "c.csv": b""}
    )
    assert [patient for patient, _ in found.values()] == ["A", "B"]


@pytest.mark.parametrize("stem", ["a" * 5000, "_" * 5000 + "1", "1" * 99, "", "7", "a7", "a_7_8"])
def test_numbers_are_split_off_fast(stem: str) -> None:
    started = time.monotonic()
    name, number = split_number(stem)
    assert name or not stem
    assert time.monotonic() - started < 0.5
    assert (stem != "a_7_8") or (name, number) == ("a_7", 8)


@pytest.mark.parametrize(
    "text", [r"^([^/]+)/", r"(TCGA_\w+_\d+)_\d+", r"(?i)patient[_-]?(\d+)", r"\d{4}", r".*/(P\d+)_.*\.png"]
)
def test_patterns_that_people_write_are_taken(text: str) -> None:
    assert compile_pattern(text).pattern == text


@pytest.mark.parametrize(
    "text",
    [
        "", "(", "x" * 201, "(a+)+b", "(a|bc)*c", "(?:a?){20}", "(a)\\1", "(?=a)b", "(?<=a)b", "(a)(b)", "a*a*a*a*b",
        "(?:){4000000000}", "a?" * 30, "(?:a|a)" * 25, "((a*){1}){1}a*a*a*", "(?>a)b", "(?:^)*", "a{2,}" * 5,
    ],
)  # fmt: skip
def test_patterns_that_could_take_for_ever_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Must|Is no|Has too"):
        compile_pattern(text)


def test_the_first_group_or_the_whole_match_is_found() -> None:
    assert find(compile_pattern("P([0-9]+)"), "x/P17_3.png") == "17"
    assert find(compile_pattern("P[0-9]+"), "x/P17_3.png") == "P17"
    assert find(compile_pattern("Q"), "x/P17_3.png") is None
    assert find(compile_pattern("x*"), "") is None
    assert find(compile_pattern("a"), "a" * (MAX_PATH + 1)) is None


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of sets in sets, which Python may have one day
@settings(max_examples=60, deadline=None)
@given(st.text("a*?+|(){}2,:[].\\d", max_size=24))
def test_no_pattern_holds_the_process_up(text: str) -> None:
    try:
        pattern = compile_pattern(text)
    except ValueError:
        return
    started = time.monotonic()
    find(pattern, "a" * MAX_PATH)
    assert time.monotonic() - started < 10
