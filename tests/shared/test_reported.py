"""What earlier projects reported: read once, and refused by place where it is wrong."""

from pathlib import Path

import pytest

from shared.contract.config import ConfigError
from shared.reported import NAME, read_reported

ONE = """
- {recipe: a, project: p, source: s, reported: r, "on": o, why_not_comparable: w}
"""


def test_without_a_file_nothing_was_reported(tmp_path):
    assert read_reported(tmp_path).of("a") == []


def test_reports_are_found_by_recipe(tmp_path):
    (tmp_path / NAME).write_text(ONE)
    (report,) = read_reported(tmp_path).of("a")
    assert (report.project, report.on) == ("p", "o")
    assert read_reported(tmp_path).of("b") == [] == read_reported(tmp_path).of(None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "no YAML"),
        ("- {recipe: 1}", r"\[0\].recipe: must be text"),
        (ONE.replace('"on"', "on"), r"\[0\].on: missing"),
        ("a: b", "unknown field"),
        ("", "must be an object"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, text, says):
    (tmp_path / NAME).write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_reported(tmp_path)


def test_what_is_shipped_can_be_read():
    assert read_reported(Path(__file__).parents[2] / "recipes").of("vgg16-unet")
