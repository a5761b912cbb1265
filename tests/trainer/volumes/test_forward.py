"""A volume's slices through the network: what is kept of its answers, and what breaks off."""

import numpy as np
import pytest

from shared.contract.errors import InferenceFailed
from shared.registry.cards import Label
from tests.fakes.cards import card
from tests.fakes.inference import MEASURES, FakeEngine, served
from trainer.engines.engine import EngineOutput
from trainer.inference.batch_stage import Closed
from trainer.volumes.forward import SHARE, pass_slices
from trainer.volumes.volume_order import LABEL, PROBABILITY, VOLUME

SIZE = 32


@pytest.fixture
def folder(tmp_path):
    """Eight slices, of which slice 0 is empty; their brightness is their number."""
    volume = np.zeros((8, SIZE, SIZE, 1), np.uint8)
    volume[:, 4:20, 4:12] = np.arange(8)[:, None, None, None] * 30
    np.save(tmp_path / VOLUME, volume)
    return tmp_path


class Network:
    """Answers each slice with its brightness; strange from `strange` on; `waiting` were under way at most."""

    def __init__(self, strange=9.0, error=None, backwards=False):
        self.strange, self.error, self.backwards = strange, error, backwards
        self.held, self.waiting = [], 0

    def __call__(self, item, then):
        self.held.append((item, then))
        self.waiting = max(self.waiting, len(self.held))
        if not self.backwards or len(self.held) == 4:
            for one, back in reversed(self.held):
                back(self.answer(one.x_CHW))
            self.held.clear()

    def answer(self, x_CHW):
        if self.error is not None and (x_CHW[0] > x_CHW[0].min()).any():
            return self.error
        bright_hw = (x_CHW[0] > x_CHW[0].min()).astype(np.float32)
        odd = float(bright_hw.any()) * self.strange
        label_hw = np.full((SIZE, SIZE), 2, np.uint8)
        return EngineOutput(bright_hw, np.full(MEASURES, odd, np.float32), label_hw)


def go(folder, network, engine=None, **changes):
    seen = []
    model = served(engine or FakeEngine(), unlike={"limits": [5.0, 5.0]}, **changes)
    passed = pass_slices(
        model,
        folder,
        (0, 0, 0),
        "axial",
        (1.0, 1.0, 1.0),
        submit=network,
        on_slice=lambda n, of: seen.append((n, of)),
    )
    return passed, seen


def test_maps_lie_where_their_slices_do_and_progress_is_told(folder):
    passed, seen = go(folder, Network(strange=0.0))
    probability = np.load(folder / PROBABILITY)
    assert np.array_equal(probability > 0, np.load(folder / VOLUME)[..., 0] > 0)
    assert seen == [(n, 8) for n in range(1, 9)]
    assert not (folder / LABEL).exists()
    assert not passed.is_unlike


def test_answers_may_come_in_any_order_and_large_batches_are_filled_in_part(folder):
    network = Network(strange=0.0, backwards=True)
    go(folder, network, FakeEngine(max_batch=4 * SHARE))
    assert network.waiting == 4
    assert np.array_equal(np.load(folder / PROBABILITY) > 0, np.load(folder / VOLUME)[..., 0] > 0)


def test_one_slice_at_a_time_where_batches_are_small(folder):
    network = Network()
    go(folder, network, FakeEngine(max_batch=2))
    assert network.waiting == 1


def test_only_slices_that_show_something_count_as_strange(folder):
    passed, _ = go(folder, Network(strange=9.0))
    assert (passed.unlike, passed.shown) == (7, 7)
    assert passed.is_unlike


def test_labels_of_several_classes_are_kept(folder):
    two = card(classes=2, labels=[Label(1, "core"), Label(2, "oedema")])
    go(folder, Network(), card=two)
    assert set(np.unique(np.load(folder / LABEL))) == {2}


def test_a_network_that_breaks_names_the_slice(folder):
    with pytest.raises(InferenceFailed, match=r"slice 1 \(MemoryError\)"):
        go(folder, Network(error=MemoryError("no")))


def test_a_worker_that_closes_is_no_failure(folder):
    with pytest.raises(Closed):
        go(folder, Network(error=Closed("forward")))
