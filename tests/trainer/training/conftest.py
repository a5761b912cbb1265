"""What training tests need of the process that they run in."""

import signal

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tiny networks are fastest, and do not wait on a busy machine's other cores, with one thread."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="module")
def no_handler_left_behind():
    """torch's DataLoader handles SIGCHLD for the whole process, and never stops.

    Children of later tests and fixtures would run that handler on the signal stack of the moment, which need not be
    there any more: the test run died of it when PostgreSQL was stopped at its end.
    """
    before = signal.getsignal(signal.SIGCHLD)
    yield
    signal.signal(signal.SIGCHLD, before)
