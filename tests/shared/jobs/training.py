"""Training runs to accept, and a model card for what they make."""

from typing import Any

from shared.jobs.training_runs import NewRun, RunView, TrainingRuns
from shared.registry.cards import ModelCard
from tests.shared.registry.cards import card_fields


def accept(runs: TrainingRuns, **changes: Any) -> RunView:
    """A queued run."""
    fields = {
        "owner": "alice",
        "name": "first try",
        "dataset_id": "d1",
        "recipe": "lgg-unet",
        "specification": {"epochs": 40, "seed": 1},
        "request_id": "r1",
    }
    return runs.accept(NewRun(**{**fields, **changes}))


def card(id: str = "trained", **changes: Any) -> ModelCard:
    """The card of a trained model."""
    return ModelCard.from_dict(card_fields(id=id, **changes))


def checkpoint(path: str = "training-runs/r/checkpoints/1-10.safetensors", **changes: Any) -> dict[str, Any]:
    """Where a run goes on from."""
    return {"path": path, "epoch": 2, "step": 10, "bytes": 1000, **changes}


def told(runs: TrainingRuns, id: str) -> list[str]:
    """The statuses that the run's events tell, after checking that the events have no gap."""
    events = runs.events(id)
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    return [event.data["status"] for event in events if event.kind == "status"]
