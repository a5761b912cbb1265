"""Aliases: promotion and roll back, with the old model answering until the new one is warm."""

from shared.database.audit import AuditLog
from tests.fakes.cards import card
from tests.service.conftest import Api

ALIASES = "/v1/models/aliases"


def change_over(api: Api, alias: str, model: str) -> None:
    """What the workers do once the model is warm."""
    assert api.parts.stored.models.serve(alias, model)
    api.parts.intake.catalogue.forget()


def test_the_old_model_answers_until_the_new_one_is_warm(api: Api) -> None:
    api.parts.stored.models.register(card("new-unet"), "shipped:new-unet")
    for old, new in (("lgg-unet", "new-unet"), ("new-unet", "lgg-unet")):
        answer = api.client.put(f"{ALIASES}/default", json={"model": new})
        assert answer.status_code == 200
        expected = {"alias": "default", "model": new, "serving": old, "previous": old, "ready": False}
        assert answer.json == expected
        assert api.post().json["model"]["id"] == old
        assert api.client.get(ALIASES).json["items"] == [answer.json]
        change_over(api, "default", new)
        assert api.post().json["model"] == {
            "id": new,
            "alias": "default",
            "architecture": "unet",
            "encoder": "mobilenet_v2",
        }
        assert api.client.get(ALIASES).json["items"] == [expected | {"serving": new, "ready": True}]


def test_a_new_alias_and_one_set_to_what_it_serves_are_ready_at_once(api: Api) -> None:
    api.parts.stored.models.register(card("new-unet"), "shipped:new-unet")
    assert api.client.put(f"{ALIASES}/candidate", json={"model": "new-unet"}).json["ready"]
    assert api.post(model="candidate").json["model"]["id"] == "new-unet"
    assert not api.client.put(f"{ALIASES}/default", json={"model": "new-unet"}).json["ready"]
    assert api.client.put(f"{ALIASES}/default", json={"model": "lgg-unet"}).json["ready"]


def test_an_alias_tells_what_to_roll_back_to_while_it_is_there(api: Api) -> None:
    assert api.client.get(ALIASES).json["items"][0]["previous"] is None
    for model in ("lgg-unet", "new-unet", "new-unet"):
        api.parts.stored.models.register(card(model), f"shipped:{model}")
        told = api.client.put(f"{ALIASES}/default", json={"model": model}).json
    assert told["previous"] == "lgg-unet"
    change_over(api, "default", "new-unet")
    api.parts.stored.models.delete("lgg-unet")
    assert api.client.get(ALIASES).json["items"][0]["previous"] is None


def test_wrong_alias_changes_are_named(api: Api) -> None:
    put = api.client.put
    assert put(f"{ALIASES}/default", json={"model": "nothing"}).json["code"] == "unknown_model"
    assert put(f"{ALIASES}/lgg-unet", json={"model": "lgg-unet"}).json["errors"].keys() == {"alias"}
    assert put(f"{ALIASES}/Not%20one", json={"model": "lgg-unet"}).status_code == 422
    assert put(f"{ALIASES}/a", json={}).json["errors"].keys() == {"model"}
    assert put(f"{ALIASES}/a", json={"model": 7, "x": 1}).json["errors"].keys() == {"model", "x"}
    for body in (b"", b"{", b"[]", b"null", b"\xff"):
        answer = put(f"{ALIASES}/a", data=body, content_type="application/json")
        assert (answer.status_code, answer.json["code"]) == (400, "bad_request")
    assert put(f"{ALIASES}/a", data=b"{}").status_code == 400


def test_an_alias_can_be_deleted_but_not_the_default_one(api: Api) -> None:
    api.client.put(f"{ALIASES}/candidate", json={"model": "lgg-unet"})
    assert api.post(model="candidate").status_code == 201
    assert api.client.delete(f"{ALIASES}/candidate").status_code == 204
    assert api.post(model="candidate").json["code"] == "unknown_model"
    for gone in ("candidate", "nothing", "%00", "lgg-unet"):
        assert api.client.delete(f"{ALIASES}/{gone}").status_code == 404
    assert api.client.delete(f"{ALIASES}/default").status_code == 409
    assert api.post().status_code == 201
    deeds = [(deed.action, deed.object_id) for deed in AuditLog(api.parts.stored.database).list().items]
    assert deeds[0] == ("alias.delete", "candidate")


def test_only_admin_changes_aliases(guarded: Api) -> None:
    body, some, all_ = {"model": "lgg-unet"}, guarded.key("infer", "train"), guarded.key("admin")
    assert guarded.client.put(f"{ALIASES}/a", json=body, headers=some).status_code == 403
    assert guarded.client.put(f"{ALIASES}/a", json=body, headers=all_).status_code == 200
    assert guarded.client.delete(f"{ALIASES}/a", headers=some).status_code == 403
    assert guarded.client.delete(f"{ALIASES}/a", headers=all_).status_code == 204
