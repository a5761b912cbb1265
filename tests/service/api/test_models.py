"""Models, their cards and aliases."""

from tests.fakes.cards import card
from tests.service.conftest import Api


def test_models_are_listed_with_their_aliases(api: Api) -> None:
    api.parts.models.register(card("new-unet"), "shipped:new-unet")
    page = api.client.get("/v1/models").json
    assert page["next"] is None
    assert {item["id"]: item["aliases"] for item in page["items"]} == {
        "new-unet": [],
        "lgg-unet": ["default"],
    }


def test_a_card_is_told_as_it_was_written(api: Api) -> None:
    told = api.client.get("/v1/models/lgg-unet").json
    written = card("lgg-unet").to_dict()
    assert {name: told[name] for name in written} == written
    assert told["links"]["self"] == "/v1/models/lgg-unet"


def test_an_unknown_model_is_404(api: Api) -> None:
    for name in ("nothing", "%00", "%ff", "x" * 300):
        assert api.client.get(f"/v1/models/{name}").status_code == 404


def test_promotion_and_roll_back_take_effect_at_once(api: Api) -> None:
    api.parts.models.register(card("new-unet"), "shipped:new-unet")
    assert api.post().json["model"]["id"] == "lgg-unet"
    for model in ("new-unet", "lgg-unet"):
        answer = api.client.put("/v1/models/aliases/default", json={"model": model})
        assert answer.status_code == 200 and answer.json == {"alias": "default", "model": model}
        assert api.post().json["model"] == {
            "id": model,
            "alias": "default",
            "architecture": "unet",
            "encoder": "mobilenet_v2",
        }
    assert api.client.get("/v1/models/aliases").json["items"] == [{"alias": "default", "model": "lgg-unet"}]


def test_wrong_alias_changes_are_named(api: Api) -> None:
    put = api.client.put
    assert put("/v1/models/aliases/default", json={"model": "nothing"}).json["code"] == "unknown_model"
    assert put("/v1/models/aliases/lgg-unet", json={"model": "lgg-unet"}).json["errors"].keys() == {"alias"}
    assert put("/v1/models/aliases/Not%20one", json={"model": "lgg-unet"}).status_code == 422
    assert put("/v1/models/aliases/a", json={}).json["errors"].keys() == {"model"}
    assert put("/v1/models/aliases/a", json={"model": 7, "x": 1}).json["errors"].keys() == {"model", "x"}
    for body in (b"", b"{", b"[]", b"null", b"\xff"):
        answer = put("/v1/models/aliases/a", data=body, content_type="application/json")
        assert (answer.status_code, answer.json["code"]) == (400, "bad_request")
    assert put("/v1/models/aliases/a", data=b"{}").status_code == 400


def test_only_admin_points_aliases(guarded: Api) -> None:
    body = {"model": "lgg-unet"}
    assert (
        guarded.client.put(
            "/v1/models/aliases/a", json=body, headers=guarded.key("infer", "train")
        ).status_code
        == 403
    )
    assert (
        guarded.client.put("/v1/models/aliases/a", json=body, headers=guarded.key("admin")).status_code == 200
    )
