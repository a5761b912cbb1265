"""One evaluation from its question to its result: every patient once through each model, then numbers and a report."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from shared.datasets.base import Dataset, SliceFile
from shared.registry.cards import ModelCard
from trainer.engines.model_folder import ModelFolder
from trainer.evaluation import report
from trainer.evaluation.choosing import Memory, check_channels, chosen
from trainer.evaluation.gallery import Shown, gallery
from trainer.evaluation.measured import Measured, Pairs, measure
from trainer.evaluation.result import Answered, Asked, result_of
from trainer.training import assess

OnProgress = Callable[[float], None]
REPORT = "report.html"
# Where flips are asked for and the card has none of its own.
_FLIPS = ("horizontal", "vertical", "both")


@dataclass(frozen=True)
class Question:
    """What is to be found out. `flips_on`: test-time augmentation; None for each model's own.

    `engine` and `cache_dir` are those of `trainer.engines.open_engine.open_engine`.
    """

    model: Path
    against: Path | None
    dataset: Dataset
    dataset_name: str
    split: str
    flips_on: bool | None
    device: str
    engine: str = "auto"
    cache_dir: Path | None = None


@dataclass(frozen=True)
class Tools:
    """How models are opened, look at patients, and are reported on; tests have their own."""

    opened: Callable[[Path, str, Sequence[str] | None, str, Path | None], assess.Served] = assess.served
    volumes: Callable[[assess.Served, Dataset, Sequence[SliceFile]], Iterator[assess.Volume]] = assess.volumes
    render: Callable[[dict[str, Any], Sequence[Shown], Path], str] = report.render


def evaluate(
    question: Question, out: Path, on_progress: OnProgress, tools: Tools = Tools()
) -> dict[str, Any]:
    """The result as JSON; writes `out`/report.html. `on_progress` hears the share done, and may raise to break off.

    Raises ServiceError with a sentence: NothingToEvaluate, DoesNotFit, DatasetError, ModelUnusable.
    """
    watch = _Watch()
    folders = [folder for folder in (question.model, question.against) if folder is not None]
    asked = _asked(question, folders)
    answers = []
    for number, folder in enumerate(folders):
        heard = _share(on_progress, number, len(folders))
        answers.append(_answer(question, folder, asked.items, tools, heard))
        watch.lap("against" if number else "model")
    result = result_of(asked, *answers)
    watch.lap("statistics")
    shown = gallery(question.dataset, answers[0].measured, result)
    (out / REPORT).write_text(tools.render(result, shown, question.model), encoding="utf-8")
    watch.lap("report")
    on_progress(1.0)
    return result | {"timings_s": watch.laps}


class _Watch:
    def __init__(self) -> None:
        self.laps = {"total": 0.0}
        self._begun = self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps |= {name: round(now - self._last, 2), "total": round(now - self._begun, 2)}
        self._last = now


def _asked(question: Question, folders: Sequence[Path]) -> Asked:
    """Whatever can be told to be wrong is told before the first slice is read."""
    dataset = question.dataset
    cards = [ModelFolder(folder).card for folder in folders]
    for card in cards:
        check_channels(card, dataset)
    return Asked(
        dataset={
            "name": question.dataset_name,
            "format": getattr(dataset, "format", "unknown"),
            "truth": getattr(dataset, "truth", "masks of the dataset"),
        },
        split=question.split,
        items=chosen(dataset.slices(), question.split, cards[0]),
        cohorts=dataset.cohorts(),
    )


def _answer(
    question: Question, folder: Path, items: Sequence[SliceFile], tools: Tools, on_progress: OnProgress
) -> Answered:
    """One model's numbers of every patient; nothing of the model or of the pixels is kept."""
    card = ModelFolder(folder).card
    memory = Memory.of(folder, card)
    flips = _flips(question.flips_on, card)
    served = tools.opened(folder, question.device, flips, question.engine, question.cache_dir)
    pairs, names = _same_classes(served.classes, question.dataset.classes)
    measured: list[Measured] = []
    done = 0
    on_progress(0.0)
    # Through map, so that no name here holds on to a volume while the next one is read.
    for one in map(partial(measure, pairs=pairs), tools.volumes(served, question.dataset, items)):
        measured.append(one)
        done += len(one.items)
        on_progress(done / len(items))
    return Answered(
        card=served.card,
        engine=served.engine.name,
        device=served.engine.device,
        memory=memory,
        classes=names,
        measured=measured,
    )


def _flips(on: bool | None, card: ModelCard) -> Sequence[str] | None:
    if on is None:
        return None
    return (card.test_time_augmentation or _FLIPS) if on else ()


def _same_classes(found: Sequence[str], true: Sequence[str]) -> tuple[Pairs, Sequence[str]]:
    """Pairs of labels with the same name, in the dataset's order; none unless both have the same, several classes."""
    ours, theirs = ([name.casefold() for name in names] for names in (found, true))
    if len(theirs) < 2 or sorted(ours) != sorted(theirs):
        return (), ()
    return [(label, ours.index(name) + 1) for label, name in enumerate(theirs, start=1)], true


def _share(on_progress: OnProgress, number: int, of: int) -> OnProgress:
    """The share of one model's turn as that of the whole; the last bit is for numbers and report."""
    return lambda share: on_progress(0.98 * (number + share) / of)
