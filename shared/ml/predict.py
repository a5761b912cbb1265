"""The network as it is served: test-time flips, calibration and image features in one graph for every engine."""

import torch
from torch import nn

from shared.ml.models.network import SegmentationNetwork

FLIPS: dict[str, list[int]] = {"horizontal": [3], "vertical": [2], "both": [2, 3]}


class Predictor(nn.Module):
    """x_BCHW -> (probability_BHW in 0..1, strangeness_BS), and for several classes label_BHW.

    The probability, of tumour of any class, is the calibrated sigmoid of the logits' mean over the identity and the
    given flips. The label, uint8 from 1, is the class that a pixel most likely is of if it is tumour. Strangeness comes
    from the identity's pooled encoder features, larger for images less like those learned from; see Strangeness.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        flips: tuple[str, ...] = (),
        scale: float = 1.0,
        bias: float = 0.0,
        strangeness: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.flips = tuple(flips)
        self.scale, self.bias = scale, bias
        self.strangeness = nn.Identity() if strangeness is None else strangeness

    def forward(self, x_BCHW: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """See the class; without a `strangeness` the features come out as they are."""
        # One pass over all views: a batch of one fills the cores no better than a batch of two.
        views = torch.cat([x_BCHW] + [torch.flip(x_BCHW, FLIPS[name]) for name in self.flips])
        logits, features = self.network.logits_and_features(views)
        parts = torch.chunk(logits.float(), 1 + len(self.flips))
        total = parts[0]
        for name, part in zip(self.flips, parts[1:], strict=True):
            total = total + torch.flip(part, FLIPS[name])
        mean_BKHW = total / (1 + len(self.flips))
        mean_BHW = tumour_logit(mean_BKHW)
        features_BF = torch.chunk(features, 1 + len(self.flips))[0].float()
        # Whitening divides by small deviations: half precision would overflow where the rest does not.
        with torch.autocast(features_BF.device.type, enabled=False):
            outputs = torch.sigmoid(self.scale * mean_BHW + self.bias), self.strangeness(features_BF)
        if mean_BKHW.shape[1] == 1:
            return outputs
        return *outputs, (1 + mean_BKHW[:, 1:].argmax(dim=1)).to(torch.uint8)


def tumour_logit(logits_BKHW: torch.Tensor) -> torch.Tensor:
    """The one logit, or of several classes that of any against the background (the first): logits_BHW."""
    if logits_BKHW.shape[1] == 1:
        return logits_BKHW[:, 0]
    return torch.logsumexp(logits_BKHW[:, 1:], dim=1) - logits_BKHW[:, 0]


class Strangeness(nn.Module):
    """features_BF -> (B, 2): how far from the training slices, and how much like images known to be of other kinds.

    The first is the root mean square of the whitened features, about 1 for a training slice (Mahalanobis distance,
    Lee et al. 2018); the second the logit of a classifier between training slices and other images made from them
    (outlier exposure, Hendrycks et al. 2019). A direction (K, D) is of D classifiers, scaled to one limit: the highest.
    """

    def __init__(self, mean_F: torch.Tensor, whitening_FK: torch.Tensor, direction_KD: torch.Tensor) -> None:
        super().__init__()
        self.whitening = Whitening(mean_F, whitening_FK)
        self.direction_KD = nn.Buffer(direction_KD.reshape(len(direction_KD), -1))

    def forward(self, features_BF: torch.Tensor) -> torch.Tensor:
        """One batch; shapes and values stand in the class."""
        white_BK = self.whitening(features_BF)
        distance_B = white_BK.square().mean(dim=1).sqrt()
        return torch.stack([distance_B, (white_BK @ self.direction_KD).amax(dim=1)], dim=1)


class Whitening(nn.Module):
    """features_BF -> white_BK, about 1 in each place for a training slice."""

    def __init__(self, mean_F: torch.Tensor, whitening_FK: torch.Tensor) -> None:
        super().__init__()
        self.mean_F, self.whitening_FK = nn.Buffer(mean_F), nn.Buffer(whitening_FK)

    def forward(self, features_BF: torch.Tensor) -> torch.Tensor:
        """One batch, whitened."""
        return (features_BF - self.mean_F) @ self.whitening_FK
