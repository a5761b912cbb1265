"""A stored dataset as an evaluation takes it: as its row describes it, its patients by pseudonym."""

from pathlib import Path
from typing import Any

from shared import catalog
from shared.datasets.base import SliceDataset
from shared.datasets.pseudonym import pseudonym
from trainer.training.dataset import View


class StoredDataset(View):
    """All patients and channels; `truth` says where the masks come from."""

    def __init__(self, root: Path, format: str, options: dict[str, Any]) -> None:
        dataset: SliceDataset = catalog.load(catalog.DATASETS, format, "format")(root, **options)
        super().__init__(dataset, rename=pseudonym)
        self.format, self.truth = format, dataset.truth
