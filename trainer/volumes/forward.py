"""A volume's slices through the network, a few at a time among those of other jobs.

Shapes: D slices, H rows, W columns, C channels; h and w the model's input.
"""

import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared.contract.errors import InferenceFailed
from shared.preprocessing.square_pixels import PixelSpacing
from shared.preprocessing.unlike import unlike_training_data
from shared.volumes.grid import Plane
from shared.volumes.voxel_size import MaybeSpacing
from trainer.engines.engine import EngineOutput
from trainer.engines.warm_models import ServedModel
from trainer.inference.batch_stage import Closed
from trainer.inference.forward import Outcome, Submit, VolumeSlice
from trainer.inference.job import Stopwatch
from trainer.volumes.arrays import new_array
from trainer.volumes.axial_cut import Cut
from trainer.volumes.volume_order import LABEL, PROBABILITY, VOLUME

# Of the batch that a device takes at once, a volume fills this part: a slice that comes alone waits for no more. On a
# CPU that is one slice, which costs little, because a batch gains little there.
SHARE = 8
# A single slice may look odd; so many of the slices with something in them say that the volume is another kind.
_UNLIKE_SHARE = 0.1


@dataclass(frozen=True)
class Passed:
    """What is said of the way: how many slices are unlike what the model learned from, of how many; times in ms."""

    unlike: int
    shown: int
    preprocess_ms: float
    forward_ms: float
    postprocess_ms: float

    @property
    def is_unlike(self) -> bool:
        """The volume as a whole."""
        return self.unlike > _UNLIKE_SHARE * max(self.shown, 1)


class VolumeSlices(Sequence[np.ndarray]):
    """The slices (H, W, C) of a stored volume with the channels that a model takes; on disk until one is asked for."""

    def __init__(self, volume_DHWC: np.ndarray, channels: tuple[int, ...]) -> None:
        self._volume_DHWC = volume_DHWC
        # Grey fills all channels later, where it is scaled once and not three times.
        self._channels = list(channels[:1] if len(set(channels)) == 1 else channels)
        self.shape: tuple[int, int, int] = volume_DHWC.shape[:3]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, n: Any) -> Any:
        if n >= len(self):
            raise IndexError(n)
        return self._volume_DHWC[n][..., self._channels]


def pass_slices(
    model: ServedModel,
    folder: Path,
    channels: tuple[int, ...],
    plane: Plane,
    spacing_mm: MaybeSpacing,
    *,
    submit: Submit,
    on_slice: Callable[[int, int], None],
) -> Passed:
    """volume.npy -> probability.npy (D, H, W) uint8 and, of a model of several classes, label.npy, in `folder`.

    `submit` hands a slice to the network, which calls back; `on_slice(done, of)` may raise to break off.
    Raises InferenceFailed, and what `submit` raises.
    """
    volume_DHWC = np.load(folder / VOLUME, mmap_mode="r")
    stored = volume_DHWC.shape[:3]
    made = [new_array(folder / PROBABILITY, np.uint8, stored)]
    if model.classes:
        made.append(new_array(folder / LABEL, np.uint8, stored))
    cut = Cut.of(plane, stored)  # from here on D, H and W are the network's
    slices = VolumeSlices(cut.view(volume_DHWC), channels)
    pixel_mm = cut.spacing(spacing_mm)
    answers = _Answers(model, pixel_mm, *map(cut.view, made))
    way = _Way(model, slices, pixel_mm, submit)
    under_way = way.send()
    while under_way:
        # The next ones are on their way before these are looked at: the network need not wait.
        answered, under_way = way.receive(under_way), way.send()
        for n, output in answered:
            answers.keep(n, output, shown=bool(slices[n].any()))
            on_slice(n + 1, len(slices))
    for array in made:
        array.flush()
    return Passed(
        answers.unlike,
        answers.shown,
        round(way.preprocess_ms, 2),
        round(way.forward_ms, 2),
        round(answers.postprocess_ms, 2),
    )


class _Way:
    """Slices to the network and its answers back; what comes next is prepared while the network is at work."""

    def __init__(self, model: ServedModel, slices: VolumeSlices, pixel_mm: PixelSpacing, submit: Submit) -> None:
        self._model, self._slices, self._pixel_mm, self._submit = model, slices, pixel_mm, submit
        self._at_once = max(1, model.engine.max_batch // SHARE)
        self._answers: queue.SimpleQueue[tuple[int, VolumeSlice, Outcome]] = queue.SimpleQueue()
        watch = Stopwatch()
        self._levels = model.preprocessing.levels_by_slice(slices)
        self.preprocess_ms, self.forward_ms = watch.ms(), 0.0
        self._prepared = self._prepare(0)

    def send(self) -> int:
        """Hand over the slices that were prepared, and prepare those after them; how many they are."""
        items = self._prepared
        for n, item in items:
            self._submit(item, lambda outcome, n=n, item=item: self._answers.put((n, item, outcome)))  # type: ignore[misc]
        self._prepared = self._prepare(items[-1][0] + 1) if items else []
        return len(items)

    def receive(self, count: int) -> list[tuple[int, EngineOutput]]:
        """So many answers, in order; raises InferenceFailed, Closed."""
        received = []
        for n, item, outcome in [self._answers.get() for _ in range(count)]:
            if isinstance(outcome, Closed):
                raise outcome
            if isinstance(outcome, Exception):
                why = f"The network could not be run on slice {n} ({type(outcome).__name__})."
                raise InferenceFailed(why) from outcome
            self.forward_ms += item.forward_ms
            received.append((n, outcome))
        return sorted(received, key=lambda answer: answer[0])

    def _prepare(self, first: int) -> list[tuple[int, VolumeSlice]]:
        watch = Stopwatch()
        items = []
        for n in range(first, min(first + self._at_once, len(self._slices))):
            x_CHW = self._model.preprocessing.to_input(self._slices[n], self._levels[n], self._pixel_mm)
            items.append((n, VolumeSlice(self._model, x_CHW)))
        self.preprocess_ms += watch.ms()
        return items


class _Answers:
    """Puts maps and labels where they belong, and counts slices that look odd."""

    def __init__(
        self,
        model: ServedModel,
        pixel_mm: PixelSpacing,
        probability_DHW: np.ndarray,
        label_DHW: np.ndarray | None = None,
    ) -> None:
        self._model, self._pixel_mm = model, pixel_mm
        self._probability_DHW, self._label_DHW = probability_DHW, label_DHW
        self.shown = self.unlike = 0
        self.postprocess_ms = 0.0

    def keep(self, n: int, output: EngineOutput, *, shown: bool) -> None:
        """The network's answer to slice `n`, which shows something or is empty."""
        watch = Stopwatch()
        preprocessing, (_, H, W) = self._model.preprocessing, self._probability_DHW.shape
        self._probability_DHW[n] = preprocessing.from_output(output.probability_BHW, H, W, self._pixel_mm)
        if self._label_DHW is not None:
            self._label_DHW[n] = preprocessing.labels_from_output(output.label_BHW, H, W, self._pixel_mm)
        limits = self._model.unlike.get("limits")
        if shown:
            self.shown += 1
            self.unlike += limits is not None and unlike_training_data(output.strangeness_BS, limits)
        self.postprocess_ms += watch.ms()
