"""The kernel's count of processes that it ended for want of memory."""

from trainer.jobs.oom import out_of_memory_kills


def test_the_count_is_read(tmp_path):
    file = tmp_path / "vmstat"
    file.write_text("pgfault 12\noom_kill 3\nunevictable 0\n")
    assert out_of_memory_kills(file) == 3


def test_a_kernel_that_does_not_say(tmp_path):
    assert out_of_memory_kills(tmp_path / "none") == 0
    (tmp_path / "vmstat").write_text("pgfault 12\n")
    assert out_of_memory_kills(tmp_path / "vmstat") == 0


def test_here():
    assert out_of_memory_kills() >= 0
