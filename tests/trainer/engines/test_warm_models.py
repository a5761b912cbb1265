"""Models are loaded once, in the background, and a broken one fails only those who ask for it."""

import threading

import pytest

from shared.contract.errors import ModelUnusable, ServiceError
from tests.fakes.inference import served
from trainer.engines.warm_models import FAILURE_LASTS_S, WarmModels


class Shelf:
    """Opens models; can be held, and has broken ones."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self.broken: dict[str, Exception] = {}

    def __call__(self, model_id):
        assert self.go.wait(10)
        self.opened.append(model_id)
        if model_id in self.broken:
            raise self.broken[model_id]
        return served(id=model_id)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def models(shelf):
    made = WarmModels(shelf, limit=2, clock=Clock())
    yield made
    made.close()


def test_a_model_is_opened_once(models, shelf):
    assert models.warm_up("a").id == "a"
    assert models.warm_up("a") is models.get("a")
    assert shelf.opened == ["a"]


def test_a_cold_model_is_not_there_and_those_who_ask_are_called_when_it_is(models, shelf):
    shelf.go.clear()
    known, both = [], threading.Event()

    def then(model):
        known.append(model.id)
        if len(known) == 2:
            both.set()

    models.request("a", then)
    models.request("a", then)
    assert models.get("a") is None
    assert known == []
    shelf.go.set()
    assert both.wait(10)
    assert shelf.opened == ["a"]


def test_a_warm_model_serves_while_another_is_loading(models, shelf):
    models.warm_up("old")
    shelf.go.clear()
    loaded = threading.Event()
    models.request("new", lambda model: loaded.set())
    assert models.get("old") is not None
    assert models.get("new") is None
    shelf.go.set()
    assert loaded.wait(10)
    assert models.ids() == ["new", "old"]


def test_the_least_recently_used_model_is_dropped(models):
    for model_id in ("a", "b"):
        models.warm_up(model_id)
    models.get("a")
    models.warm_up("c")
    assert models.ids() == ["a", "c"]


def test_pinned_models_stay_beside_one_other_whatever_the_limit(models):
    for model_id in ("a", "b"):
        models.warm_up(model_id)
    models.pin(["a", "b", "c"])
    for model_id in ("c", "d", "e"):
        models.warm_up(model_id)
    assert models.ids() == ["a", "b", "c", "e"]
    models.pin(["c"])
    assert models.ids() == ["c", "e"]


def test_a_broken_model_says_why_to_those_who_ask_for_it(models, shelf):
    shelf.broken = {"bad": ModelUnusable("the weights are not those of the card")}
    with pytest.raises(ModelUnusable, match="not those of the card"):
        models.warm_up("bad")
    assert models.warm_up("good").id == "good"


def test_whatever_breaks_in_loading_is_an_unusable_model(models, shelf):
    shelf.broken = {"bad": MemoryError("no memory")}
    with pytest.raises(ModelUnusable, match="bad.*no memory"):
        models.warm_up("bad")


def test_a_broken_model_is_tried_again_only_after_a_while(shelf):
    clock = Clock()
    models = WarmModels(shelf, limit=2, clock=clock)
    shelf.broken = {"bad": ModelUnusable("missing")}
    for _ in range(3):
        with pytest.raises(ServiceError):
            models.warm_up("bad")
    assert shelf.opened == ["bad"]
    shelf.broken = {}
    clock.now += FAILURE_LASTS_S + 1
    assert models.warm_up("bad").id == "bad"
    models.close()
