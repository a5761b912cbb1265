"""docs/benchmarks.md keeps what was not measured again."""

from benchmarks import page


def test_a_part_is_replaced_and_the_other_stays(tmp_path):
    path = tmp_path / "docs" / "benchmarks.md"
    page.write(path, {"training": "## Training\n\nold"})
    page.write(path, {"serving": "## Serving\n\nfast"})
    page.write(path, {"training": "## Training\n\nnew\n"})
    text = path.read_text()
    assert text.startswith("# Benchmarks\n") and text.endswith("new\n")
    assert text.index("## Serving\n\nfast") < text.index("## Training\n\nnew")
    assert "old" not in text and text.count("## Training") == 1


def test_writing_the_same_again_changes_nothing(tmp_path):
    path = tmp_path / "benchmarks.md"
    page.write(path, {"serving": "## Serving\n\n- fast", "training": "## Training"})
    before = path.read_text()
    page.write(path, {"serving": "## Serving\n\n- fast"})
    assert path.read_text() == before


def test_a_page_without_parts_is_begun_anew(tmp_path):
    path = tmp_path / "benchmarks.md"
    path.write_text("# Numbers by hand\n")
    page.write(path, {"serving": "## Serving"})
    assert "by hand" not in path.read_text()


def test_a_table_has_a_row_for_each():
    assert page.table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
