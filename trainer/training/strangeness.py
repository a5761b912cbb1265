"""Fits what tells a strange image: whitening over training slices, and a classifier against other images made of them.

The other images are made from the training patients' own slices, so nothing but the dataset is needed, and real
images of other kinds stay unseen until they measure the result.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

SLICES_A_COMPONENT = 10
FOLDS = 5
Images = np.ndarray  # (B, H, W, C) uint8, as the cache holds them
Change = Callable[[Images], Images]


def one_channel(channel: int) -> Change:
    """The slice as a grey upload of this channel."""
    return lambda images: np.repeat(images[..., channel, None], images.shape[-1], axis=-1)


def negative_of(channel: int) -> Change:
    """A grey upload with tissue turned round: fluid bright, as in T2."""

    def change(images: Images) -> Images:
        grey = images[..., channel, None]
        return np.repeat(np.where(grey > 12, 255 - grey, grey), images.shape[-1], axis=-1)

    return change


def permuted(*order: int) -> Change:
    """A colour upload with its sequences in the wrong order."""
    return lambda images: np.ascontiguousarray(images[..., list(order)])


def kinds(
    channels: int, main: int, learned_alone: Collection[int] = ()
) -> tuple[list[Change], list[Change]]:
    """Changes that give images like those trained on, and changes that give others.

    `learned_alone` are channels whose sequence is learned in grey from another dataset.
    """
    others = [c for c in range(channels) if c != main]
    like: list[Change] = [lambda images: images]
    if others:
        like.append(one_channel(main))
    unlike = [one_channel(c) for c in others if c not in learned_alone] + [negative_of(c) for c in range(channels)]
    return like, [*unlike, *(permuted(*np.roll(range(channels), turn)) for turn in range(1, channels))]


def fit(like_NF: np.ndarray, other_MF: np.ndarray, components: int = 150) -> dict[str, torch.Tensor]:
    """`mean` (F,), `whitening` (F, K) and `direction` (K,) of shared.ml.predict.Strangeness, in fp32.

    Features are first scaled by their own deviation, since the deepest stage has many more and larger ones.
    """
    mean, deviation = like_NF.mean(0), like_NF.std(0) + 1e-6
    scaled = (like_NF - mean) / deviation
    _, singular, axes = np.linalg.svd(scaled, full_matrices=False)
    # Of few slices only the largest directions are known well enough: with more, whatever is new would look strange.
    keep = max(1, min(components, len(scaled) // SLICES_A_COMPONENT, len(singular) - 1))
    spread = singular[:keep] / np.sqrt(len(scaled) - 1)
    whitening = (axes[:keep] / np.maximum(spread, 1e-3 * spread[0])[:, None]).T / deviation[:, None]
    white = np.concatenate([(like_NF - mean) @ whitening, (other_MF - mean) @ whitening])
    direction = _classify(white, np.arange(len(white)) >= len(like_NF))
    return {
        "mean": torch.from_numpy(mean).float(),
        "whitening": torch.from_numpy(whitening).float(),
        "direction": torch.from_numpy(direction).float(),
    }


@dataclass(frozen=True)
class Outsiders:
    """What tells real images of another kind: their logit is `white_NK @ direction_K`, and above `limit`.

    `held_out`: whether each slice like those trained on would be warned of, its patient left out of the fit.
    """

    direction_K: np.ndarray
    limit: float
    held_out: list[bool]


def outsiders(like: Sequence[np.ndarray], other_MK: np.ndarray, check_NK: np.ndarray) -> Outsiders:
    """From whitened features: `like` has each patient's slices in each way they come, white_VNK.

    The limit lies midway between what slices of a patient left out hardly reach (the mean of the patients' 99th
    percentiles and two deviations) and what `check_NK`, of the other kind and not fitted on, hardly falls below.
    """
    folds = (np.random.default_rng(0).permutation(len(like)) % FOLDS).tolist()
    logits: dict[int, np.ndarray] = {}
    checks = []
    for fold in range(FOLDS):
        direction_K = _between([white for n, white in enumerate(like) if folds[n] != fold], other_MK)
        logits |= {n: white @ direction_K for n, white in enumerate(like) if folds[n] == fold}
        checks.append(check_NK @ direction_K)
    highest = [np.quantile(view, 0.99) for logits_VN in logits.values() for view in logits_VN]
    reached = float(np.mean(highest) + 2 * np.std(highest))
    limit = max(reached, (reached + float(np.quantile(np.mean(checks, axis=0), 0.01))) / 2)
    held_out = [bool(logit > limit) for logits_VN in logits.values() for logit in logits_VN.ravel()]
    return Outsiders(_between(like, other_MK), limit, held_out)


def _between(like: Sequence[np.ndarray], other_MK: np.ndarray) -> np.ndarray:
    like_NK = np.concatenate([white_VNK.reshape(-1, white_VNK.shape[-1]) for white_VNK in like])
    kind = np.concatenate([np.zeros(len(like_NK)), np.ones(len(other_MK))])
    return _classify(np.concatenate([like_NK, other_MK]), kind)


def _classify(white_NK: np.ndarray, other_N: np.ndarray, decay: float = 1e-3) -> np.ndarray:
    """Ridge logistic regression, both kinds weighing the same; its offset is left out: the limit stands for it."""
    x, y = torch.from_numpy(white_NK).double(), torch.from_numpy(other_N).double()
    weight = torch.where(y > 0, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    parameters = torch.zeros(x.shape[1] + 1, dtype=torch.double, requires_grad=True)
    solver = torch.optim.LBFGS([parameters], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        solver.zero_grad()
        logits = x @ parameters[1:] + parameters[0]
        loss = (
            functional.binary_cross_entropy_with_logits(logits, y, weight)
            + decay * parameters[1:].square().sum()
        )
        loss.backward()
        return loss

    solver.step(closure)
    return parameters[1:].detach().numpy()
