"""What tests of networks need of the process that they run in."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Small networks on a busy machine are ten times faster with one thread: several wait for each other."""
    torch.set_num_threads(1)
