"""An alias changes over when its new model is warm everywhere, and not before."""

import threading

import pytest

from shared.contract.errors import ModelUnusable
from shared.contract.names import Queue
from shared.database.models import AliasView, Models
from shared.database.workers import Workers
from tests.fakes.cards import card
from tests.fakes.inference import served
from trainer.engines.warm_models import WarmModels
from trainer.inference.promotion import SEEN_S, Promotion


class Host:
    """One inference worker: its warm models, and what it says of itself."""

    def __init__(self, name, database, clock, limit=3):
        self.workers, self.name = Workers(database, clock=clock), name
        self.broken: set[str] = set()
        self.go = threading.Event()
        self.go.set()
        self.models = WarmModels(self._open, limit)
        self.promotion = Promotion(Models(database), self.workers, self.models, self.beat)

    def _open(self, model_id):
        assert self.go.wait(10)
        if model_id in self.broken:
            raise ModelUnusable("the weights are not those of the card")
        return served(id=model_id)

    def beat(self):
        self.workers.beat(self.name, Queue.INFERENCE, "cpu", "fake", self.models.ids(), "1")

    def settle(self):
        """Rounds of the chore, with the loading between them done."""
        for _ in range(3):
            self.promotion.run()
            if self.go.is_set():
                self.models._loader.submit(int).result(10)


@pytest.fixture
def models(database):
    made = Models(database)
    for id in ("old", "new", "other"):
        made.register(card(id), f"shipped:{id}")
    made.set_alias("default", "old")
    return made


@pytest.fixture
def host(database, clock, models):
    made = []

    def make(name="host", **options):
        made.append(Host(name, database, clock, **options))
        made[-1].settle()
        made[-1].beat()
        return made[-1]

    yield make
    for one in made:
        one.go.set()
        one.models.close()


def default(models):
    return models.aliases()["default"]


def test_the_new_model_serves_once_it_is_warm(models, host):
    one = host()
    assert one.models.ids() == ["old"]
    one.go.clear()
    models.set_alias("default", "new")
    one.settle()
    assert default(models) == AliasView("new", "old", "old")
    assert models.resolve("default")[0].id == "old"
    assert one.models.get("old") is not None
    one.go.set()
    one.settle()
    assert default(models) == AliasView("new", "new", "old")
    assert models.resolve("default")[0].id == "new"


def test_it_waits_for_every_worker_that_was_seen_lately(models, host):
    one, two = host("one"), host("two")
    models.set_alias("default", "new")
    one.settle()
    assert default(models).serving_id == "old"
    two.settle()
    assert default(models).serving_id == "new"


def test_it_does_not_wait_for_a_worker_that_is_gone(models, host, clock):
    one, _gone = host("one"), host("two")
    models.set_alias("default", "new")
    clock.skip(SEEN_S + 1)
    one.settle()
    assert default(models).serving_id == "new"


def test_it_does_not_wait_for_workers_that_train(models, host):
    one = host("one")
    one.workers.beat("trainer", Queue.TRAINING, "cpu", "none", [], "1")
    models.set_alias("default", "new")
    one.settle()
    assert default(models).serving_id == "new"


def test_a_model_that_cannot_be_loaded_leaves_the_old_one(models, host):
    one, two = host("one"), host("two")
    two.broken.add("new")
    models.set_alias("default", "new")
    one.settle()
    two.settle()
    assert default(models) == AliasView("new", "old", "old")
    models.set_alias("default", "other")
    one.settle()
    two.settle()
    assert default(models) == AliasView("other", "other", "new")


def test_there_is_room_for_old_and_new_whatever_the_limit(models, host):
    one = host(limit=1)
    one.go.clear()
    models.set_alias("default", "new")
    one.settle()
    one.go.set()
    one.models._loader.submit(int).result(10)
    assert one.models.ids() == ["new", "old"]
    one.models.warm_up("other")
    assert one.models.ids() == ["new", "old", "other"]
    one.settle()
    one.settle()
    assert default(models).serving_id == "new"
    assert one.models.ids() == ["new", "other"]


def test_other_aliases_change_over_too(models, host):
    one = host()
    models.set_alias("candidate", "old")
    models.set_alias("candidate", "other")
    one.settle()
    assert models.aliases() == {
        "default": AliasView("old", "old"),
        "candidate": AliasView("other", "other", "old"),
    }
