"""Under autocast what needs full precision keeps it."""

import torch

from shared.ml.models.network import SegmentationNetwork
from shared.ml.predict import Predictor, Strangeness


class Plain(SegmentationNetwork):
    """Features are the mean colour."""

    def encode(self, x_BCHW):
        return [x_BCHW, x_BCHW]

    def decode(self, maps):
        return maps[0][:, :1]


def test_strangeness_is_computed_in_full_precision():
    whitening = torch.eye(3) * 1e5  # beyond half precision
    predictor = Predictor(Plain(), strangeness=Strangeness(torch.full((3,), 0.5), whitening, torch.ones(3)))
    x_BCHW = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = predictor(x_BCHW)[1]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        probability, strangeness = predictor(x_BCHW)
    assert probability.dtype == strangeness.dtype == torch.float32
    assert torch.equal(strangeness, expected)
