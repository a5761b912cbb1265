"""Models and their cards."""

from tests.fakes.cards import card
from tests.service.conftest import Api


def test_models_are_listed_with_their_aliases(api: Api) -> None:
    api.parts.stored.models.register(card("new-unet"), "shipped:new-unet")
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
