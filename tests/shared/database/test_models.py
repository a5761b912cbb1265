"""Models and aliases."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.contract.errors import Conflict, InvalidFields, NotFound, UnknownModel
from shared.contract.names import DEFAULT_MODEL
from shared.database.audit import AuditLog
from shared.database.models import AliasView, Models, shipped_folder
from shared.registry.cards import InvalidCard, ModelCard
from tests.shared.registry.cards import card_fields


@pytest.fixture
def models(database, clock):
    return Models(database, clock=clock)


def card(id="lgg-unet", **changes):
    return ModelCard.from_dict(card_fields(id=id, **changes))


@pytest.fixture
def models_dir(tmp_path):
    """Two shipped models, and a folder that is none."""
    for name in ("b-net", "a-net"):
        (tmp_path / "models" / name).mkdir(parents=True)
        card(name).dump(tmp_path / "models" / name / "card.json")
    (tmp_path / "models" / "notes").mkdir()
    return tmp_path / "models"


def test_a_registered_model_is_found_by_its_id(models, clock):
    stored = models.register(card(), "models/lgg-unet")
    assert (stored.card, stored.location, stored.created_at) == (card(), "models/lgg-unet", clock.now)
    assert models.get("lgg-unet") == stored
    assert models.resolve("lgg-unet") == (stored, None)


def test_registering_the_same_again_changes_nothing(models, clock):
    first = models.register(card(), "models/lgg-unet")
    clock.tick(60)
    assert models.register(card(), "models/lgg-unet") == first


def test_another_card_with_the_same_id_is_a_conflict(models):
    first = models.register(card(), "models/lgg-unet")
    with pytest.raises(Conflict):
        models.register(card(threshold=0.4), "models/lgg-unet")
    assert models.get("lgg-unet") == first


def test_a_model_that_is_replaced_is_seen_by_others_at_once(models, database):
    models.register(card(), "a")
    other = Models(database)
    assert other.resolve("lgg-unet")[0].card.threshold == 0.5
    replaced = models.register(card(threshold=0.4), "a", replace=True)
    assert replaced.card.threshold == 0.4
    assert other.resolve("lgg-unet")[0].card.threshold == 0.4
    assert other.get("lgg-unet").card.threshold == 0.4


def test_a_new_alias_serves_its_model_at_once(models):
    models.register(card("one"), "1")
    models.set_alias("default", "one")
    model, alias = models.resolve("default")
    assert (model.id, alias) == ("one", "default")
    assert models.aliases() == {"default": AliasView("one", "one")}
    assert models.pending() == {}


def test_an_alias_that_is_moved_serves_the_old_model_until_the_new_one_is_warm(models):
    models.register(card("one"), "1"), models.register(card("two"), "2")
    models.set_alias("default", "one")
    models.set_alias("default", "two")
    assert models.resolve("default")[0].id == "one"
    assert models.aliases() == {"default": AliasView("two", "one", "one")}
    assert models.pending() == {"default": "two"}
    assert models.serve("default", "two")
    assert models.resolve("default")[0].id == "two"
    assert models.aliases() == {"default": AliasView("two", "two", "one")}
    assert models.pending() == {}
    assert models.serve("default", "two")


def test_an_alias_that_is_moved_back_before_the_change_is_done_at_once(models):
    models.register(card("one"), "1"), models.register(card("two"), "2")
    models.set_alias("default", "one"), models.set_alias("default", "two"), models.set_alias("default", "one")
    assert models.pending() == {}
    assert models.resolve("default")[0].id == "one"


def test_an_alias_knows_what_it_pointed_to_before(models):
    models.register(card("one"), "1"), models.register(card("two"), "2")

    def previous(model):
        models.set_alias("default", model)
        return models.aliases()["default"].previous_id

    assert [previous(m) for m in ("one", "one", "two", "two", "one")] == [None, None, "one", "one", "two"]


def test_an_alias_forgets_a_model_that_was_deleted(models):
    models.register(card("one"), "1"), models.register(card("two"), "2")
    models.set_alias("default", "one"), models.set_alias("default", "two"), models.serve("default", "two")
    models.delete("one")
    assert models.aliases() == {"default": AliasView("two", "two")}


def test_an_alias_that_is_made_anew_begins_without_a_past(models):
    models.register(card("one"), "1"), models.register(card("two"), "2")
    models.set_alias("stable", "one"), models.set_alias("stable", "two"), models.delete_alias("stable")
    models.set_alias("stable", "two")
    assert models.aliases()["stable"].previous_id is None


def test_a_model_that_the_alias_points_to_no_more_is_not_served(models):
    for number in ("one", "two", "three"):
        models.register(card(number), number)
    for number in ("one", "two", "three"):
        models.set_alias("default", number)
    assert not models.serve("default", "two")
    assert not models.serve("nothing", "two")
    assert models.resolve("default")[0].id == "one"
    assert models.pending() == {"default": "three"}


def test_a_model_by_id_has_no_alias_even_if_one_points_to_it(models):
    models.register(card("one"), "1")
    models.set_alias("default", "one"), models.set_alias("stable", "one")
    assert models.resolve("one")[1] is None
    assert models.resolve("stable")[1] == "stable"


@pytest.mark.parametrize("reference", ["", "nope", "x" * 10_000, "'; DROP TABLE models; --"])
def test_an_unknown_model_is_named_on_its_field(models, reference):
    with pytest.raises(UnknownModel) as caught:
        models.resolve(reference)
    assert "model" in caught.value.errors
    with pytest.raises(NotFound):
        models.get(reference)


def test_aliases_and_ids_never_share_a_name(models):
    models.register(card("one"), "1")
    with pytest.raises(InvalidFields):
        models.set_alias("one", "one")
    models.set_alias("stable", "one")
    with pytest.raises(Conflict):
        models.register(card("stable"), "2")


@pytest.mark.parametrize("alias", ["", "Upper", "a b", "../x", "x" * 65, "-a"])
def test_a_bad_alias_is_named(models, alias):
    models.register(card("one"), "1")
    with pytest.raises(InvalidFields) as caught:
        models.set_alias(alias, "one")
    assert "alias" in caught.value.errors


def test_an_alias_to_nowhere_is_refused(models):
    with pytest.raises(UnknownModel):
        models.set_alias("default", "nope")
    assert models.aliases() == {}


def test_a_model_that_an_alias_points_to_cannot_be_deleted(models):
    models.register(card("one"), "1"), models.register(card("two"), "2")
    models.set_alias("default", "one")
    with pytest.raises(Conflict):
        models.delete("one")
    models.set_alias("default", "two")
    with pytest.raises(Conflict):
        models.delete("one")  # it still answers
    models.serve("default", "two")
    models.delete("one")
    with pytest.raises(NotFound):
        models.get("one")
    with pytest.raises(NotFound):
        models.delete("one")


def test_an_alias_can_be_deleted_and_then_its_model_too(models):
    models.register(card("one"), "1")
    models.set_alias("stable", "one")
    models.delete_alias("stable")
    assert models.aliases() == {}
    models.delete("one")
    with pytest.raises(NotFound):
        models.delete_alias("stable")


def test_promotions_and_deletions_are_audited(models, database, clock):
    models.register(card("one"), "1"), models.register(card("two"), "2")
    models.set_alias("default", "one", actor="boss")
    clock.tick(1)
    models.delete("two", actor="boss")
    entries = AuditLog(database).list().items
    assert [(e.actor, e.action, e.object_id) for e in entries] == [
        ("boss", "model.delete", f"two@{card('two').digest()[:16]}"),
        ("boss", "alias.set", "default=one"),
    ]


def test_an_import_is_audited_and_a_start_up_is_not(models, database):
    models.register(card("one"), "1", actor="boss")
    models.register(card("two"), "2")
    entries = AuditLog(database).list().items
    assert [(e.actor, e.action, e.object_id) for e in entries] == [("boss", "model.import", "one")]


def test_models_are_listed_newest_first(models, clock):
    for id in ("one", "two", "three"):
        models.register(card(id), id)
        clock.tick(1)
    page = models.list(2)
    assert [model.id for model in page.items] == ["three", "two"]
    assert [model.id for model in models.list(2, page.next).items] == ["one"]


def test_shipped_models_are_registered_and_the_first_is_the_default(models, models_dir):
    assert [m.id for m in models.register_shipped(models_dir)] == ["a-net", "b-net"]
    assert models.resolve("default")[0].id == "a-net"
    assert models.get("b-net").location == "shipped:b-net"


def test_a_demonstration_that_comes_first_by_name_is_not_the_default(models, models_dir):
    (models_dir / DEFAULT_MODEL).mkdir()
    card(DEFAULT_MODEL).dump(models_dir / DEFAULT_MODEL / "card.json")
    assert [m.id for m in models.register_shipped(models_dir)] == ["a-net", "b-net", DEFAULT_MODEL]
    assert models.resolve("default")[0].id == DEFAULT_MODEL


def test_a_new_release_renews_the_card_and_leaves_the_default(models, models_dir):
    models.register_shipped(models_dir)
    models.set_alias("default", "b-net")
    card("a-net", version="2.0.0").dump(models_dir / "a-net" / "card.json")
    models.register_shipped(models_dir)
    assert models.get("a-net").card.version == "2.0.0"
    assert models.aliases() == {"default": AliasView("b-net", "a-net", "a-net")}


def test_processes_that_start_together_register_once(models, models_dir):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: models.register_shipped(models_dir), range(4)))
    assert len(models.list().items) == 2


def test_without_shipped_models_there_is_no_default(models, tmp_path):
    assert models.register_shipped(tmp_path / "none") == []
    with pytest.raises(UnknownModel):
        models.resolve("default")


def test_a_broken_shipped_card_is_an_error_at_the_start(models, models_dir):
    (models_dir / "a-net" / "card.json").write_text("{}")
    with pytest.raises(InvalidCard):
        models.register_shipped(models_dir)


def test_a_shipped_model_lies_under_each_hosts_own_folder():
    assert shipped_folder("shipped:a-net", Path("/srv/models")) == Path("/srv/models/a-net")
    assert shipped_folder("models/a-net", Path("/srv/models")) is None


def test_the_id_of_a_deleted_model_is_only_given_to_the_same_model_again(models):
    models.register(card("one"), "1", actor="boss")
    models.delete("one")
    with pytest.raises(Conflict, match="was deleted"):
        models.register(card("one", threshold=0.9), "2", actor="boss")
    with pytest.raises(NotFound):
        models.get("one")
    assert models.register(card("one"), "3", actor="boss").location == "3"
    assert models.register(card("one_"), "4", actor="boss").id == "one_"
