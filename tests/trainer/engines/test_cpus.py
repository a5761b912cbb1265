"""A container's quota counts, which the affinity mask does not show."""

import os

import pytest

from trainer.engines.cpus import usable_cpus

ALL = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", ALL), ("100000 100000", 1), ("50000 100000", 1), ("99900000 100000", ALL), ("?", ALL)],
)
def test_the_quota_is_a_bound(tmp_path, quota, expected):
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    assert usable_cpus(file) == expected


def test_without_cgroups_there_is_no_quota(tmp_path):
    assert usable_cpus(tmp_path / "missing") == ALL
