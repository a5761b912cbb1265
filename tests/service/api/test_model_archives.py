"""Models brought in and taken away: what is good comes through unchanged, what is not leaves nothing behind."""

import io
import json
import os
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from shared.database.audit import AuditLog
from tests.fakes.cards import card
from tests.fakes.weights import archive, card_document, safetensors
from tests.service.conftest import Api

PNG = b"\x89PNG\r\n\x1a\n..."
WEIGHTS = safetensors()


def bring(api: Api, content: bytes | None, **kwargs: Any) -> Any:
    data = {} if content is None else {"file": (io.BytesIO(content), "model.zip")}
    return api.client.post("/v1/models", data=data, content_type="multipart/form-data", **kwargs)


def scratch(api: Api) -> list[Path]:
    folder = api.parts.settings.store.data_dir / "uploads"
    return list(folder.iterdir()) if folder.exists() else []


def refused(api: Api, content: bytes | None, status: int = 422) -> Any:
    """The problem; nothing was kept."""
    answer = bring(api, content)
    assert answer.status_code == status, answer.json
    assert api.files() == [] and scratch(api) == []
    assert [item["id"] for item in api.client.get("/v1/models").json["items"]] == ["lgg-unet"]
    return answer.json


def test_a_model_comes_in_and_goes_out_unchanged(api: Api) -> None:
    files = {"README_md": b"# Model", "curves_png": PNG, "history_json": b"[]"}
    answer = bring(api, archive(**files))
    assert (answer.status_code, answer.headers["Location"]) == (201, "/v1/models/imported")
    document = card_document(WEIGHTS)
    assert {name: answer.json[name] for name in document} == document
    assert api.client.get("/v1/models/imported").json == answer.json
    assert scratch(api) == []
    taken = api.client.get(answer.json["links"]["archive"])
    assert taken.content_type == "application/zip"
    assert taken.headers["Content-Disposition"] == 'attachment; filename="imported.zip"'
    with zipfile.ZipFile(io.BytesIO(taken.data)) as packed:
        assert packed.namelist() == [
            "card.json",
            "weights.safetensors",
            "README.md",
            "curves.png",
            "history.json",
        ]
        assert json.loads(packed.read("card.json")) == document
        assert packed.read("weights.safetensors") == WEIGHTS
    again = {"If-None-Match": taken.headers["ETag"]}
    assert api.client.get("/v1/models/imported/archive", headers=again).status_code == 304
    assert api.client.delete("/v1/models/imported").status_code == 204
    assert bring(api, taken.data).status_code == 201
    assert api.client.get("/v1/models/imported/archive").data == taken.data


def test_the_same_model_again_changes_nothing(api: Api) -> None:
    first, before = bring(api, archive()), api.files()
    again = bring(api, archive(README_md=b"other words"))
    assert (again.status_code, again.json, again.headers["Location"]) == (
        200,
        first.json,
        "/v1/models/imported",
    )
    assert api.files() == before


def test_two_imports_of_one_model_at_a_time_are_one(api: Api) -> None:
    answers: list[int] = []

    def send() -> None:
        client = api.app.test_client()
        data = {"file": (io.BytesIO(archive()), "m.zip")}
        answers.append(client.post("/v1/models", data=data, content_type="multipart/form-data").status_code)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == [200] * 5 + [201]
    assert len(api.files()) == 2
    assert api.client.get("/v1/models/imported/archive").status_code == 200


def test_another_card_under_this_id_is_a_conflict(api: Api) -> None:
    bring(api, archive())
    before = api.files()
    other = card_document(WEIGHTS, description="Another one.")
    assert bring(api, archive(other)).status_code == 409
    assert bring(api, archive(card_document(WEIGHTS, id="lgg-unet"))).status_code == 409
    assert bring(api, archive(card_document(WEIGHTS, id="default"))).status_code == 409
    assert api.files() == before
    assert api.client.get("/v1/models/imported").json["description"] == "A card for tests."


def test_an_imported_model_is_used_by_its_id(api: Api) -> None:
    assert api.post(model="imported").json["code"] == "unknown_model"
    bring(api, archive())
    assert api.post(model="imported").json["model"]["id"] == "imported"


@pytest.mark.parametrize(
    ("change", "places"),
    [
        ({"architecture": "pickle"}, {"architecture"}),
        ({"encoder": "resnet9000"}, {"encoder"}),
        ({"threshold": 2}, {"threshold"}),
        ({"colour": "red"}, {"colour"}),
        ({"id": "aliases"}, {"id"}),
        ({"id": "../../etc"}, {"id"}),
        ({"classes": 9}, {"classes"}),
        ({"in_channels": 4}, {"in_channels"}),
        ({"labels": [{"value": 2, "name": "x"}]}, {"labels"}),
        ({"preprocessing": {"sharpen": 1}}, {"preprocessing.sharpen"}),
        ({"preprocessing": {"channels": 3, "image_size": "256"}}, {"preprocessing.image_size"}),
        ({"preprocessing": {"channels": 3, "image_size": 100_000}}, {"preprocessing.image_size"}),
        ({"preprocessing": {"channels": 3, "normalization": "none"}}, {"preprocessing"}),
        ({"test_time_augmentation": ["shear"]}, {"test_time_augmentation"}),
        ({"unlike": {"limits": [1]}}, {"unlike.limits"}),
        ({"unlike": {"limits": ["a", None]}}, {"unlike.limits"}),
        ({"description": "\ud800"}, {"card"}),
        ({"metrics": {"dice": "\u0000"}}, {"card"}),
        ({"encoder": "x", "classes": 9}, {"encoder", "classes"}),
        ({"classes": 2}, {"labels"}),
        ({"channels": ["a", "a", "b"]}, {"channels"}),
        (
            {"in_channels": 9, "preprocessing": {"channels": 9, "image_size": 64}},
            {"in_channels", "preprocessing"},
        ),
    ],
)
def test_a_card_that_cannot_be_served_is_named_by_place(
    api: Api, change: dict[str, Any], places: set[str]
) -> None:
    problem = refused(api, archive(card_document(WEIGHTS, **change)))
    assert problem["code"] == "invalid_card"
    assert problem["errors"].keys() == places


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b'{"a": NaN}', b"\xff", b"[" * 90_000, b'{"schema": ' + b"9" * 5000 + b"}"],
)
def test_what_is_no_card_is_refused(api: Api, content: bytes) -> None:
    problem = refused(api, archive(content))
    assert problem["code"] == "invalid_card" and problem["errors"].keys() <= {"card", "card.json", "schema"}
    assert problem["errors"] and str(api.parts.settings.store.data_dir) not in str(problem)


def test_numbers_that_json_cannot_hold_are_refused(api: Api) -> None:
    text = json.dumps(card_document(WEIGHTS)).replace('{"dice": 0.9}', '{"dice": 1e999}')
    deep = json.dumps(card_document(WEIGHTS)).replace('{"dice": 0.9}', '{"a":' * 900 + "1" + "}" * 900)
    for content in (text, deep):
        assert refused(api, archive(content.encode()))["code"] == "invalid_card"


def test_limits_need_the_tensors_they_are_for(api: Api) -> None:
    bare = safetensors("net.weight")
    limits = {"limits": [1.0, 2.0]}
    problem = refused(api, archive(card_document(bare, unlike=limits), weights=bare))
    assert problem["errors"].keys() == {"unlike.limits"}
    assert bring(api, archive(card_document(WEIGHTS, unlike=limits))).status_code == 201


def test_weights_that_are_not_those_of_the_card_are_refused(api: Api) -> None:
    other = WEIGHTS[:-1] + b"\x01"
    problem = refused(api, archive(card_document(WEIGHTS), weights=other))
    assert "SHA-256 differs" in problem["errors"]["weights.safetensors"][0]
    shorter = archive(card_document(WEIGHTS), weights=safetensors("a"))
    assert "their card says" in refused(api, shorter)["errors"]["weights.safetensors"][0]


@pytest.mark.parametrize("weights", [b"", b"\x80\x04\x95", WEIGHTS + b"0", WEIGHTS[:-1]])
def test_weights_that_are_no_safetensors_are_refused(api: Api, weights: bytes) -> None:
    problem = refused(api, archive(card_document(weights), weights=weights))
    assert (problem["code"], list(problem["errors"])) == ("invalid_model", ["weights.safetensors"])


def test_other_files_are_refused(api: Api) -> None:
    assert refused(api, archive(run_py=b"import os"))["errors"].keys() == {"'run.py'"}


@pytest.mark.parametrize("content", [b"", b"no zip", archive()[:-1]])
def test_what_is_no_zip_is_refused(api: Api, content: bytes) -> None:
    assert refused(api, content)["errors"].keys() == {"file"}


def test_the_form_is_checked(api: Api) -> None:
    assert refused(api, None)["errors"] == {"file": ["Is missing: send the archive in this field."]}
    assert api.client.post("/v1/models", json={"file": "x"}).json["code"] == "bad_request"
    data = {"file": "text", "name": "x"}
    answer = api.client.post("/v1/models", data=data, content_type="multipart/form-data")
    assert answer.json["errors"].keys() == {"file", "name"}


def test_this_route_has_a_limit_of_its_own(make_api: Any) -> None:
    api = make_api(max_upload_bytes=1024, max_model_bytes=100_000)
    words = os.urandom(4000).hex().encode()
    assert bring(api, archive(README_md=words)).status_code == 201
    kind = "multipart/form-data; boundary=x"
    assert api.client.post("/v1/models", data=bytes(700_000), content_type=kind).status_code == 413
    assert scratch(api) == []
    assert api.post(bytes(5000)).status_code == 413


def test_a_model_that_is_needed_or_was_shipped_stays(api: Api) -> None:
    bring(api, archive())
    api.client.put("/v1/models/aliases/default", json={"model": "imported"})
    assert api.client.delete("/v1/models/imported").status_code == 409
    assert api.client.delete("/v1/models/lgg-unet").json["code"] == "conflict"
    api.client.put("/v1/models/aliases/default", json={"model": "lgg-unet"})
    api.parts.stored.models.register(card("new-unet"), "shipped:new-unet")
    assert "shipped" in api.client.delete("/v1/models/new-unet").json["detail"]
    assert api.client.delete("/v1/models/imported").status_code == 204
    assert api.files() == []
    for path in ("", "/archive", "/curves.png"):
        assert api.client.get(f"/v1/models/imported{path}").status_code == 404
    for gone in ("imported", "nothing", "%00"):
        assert api.client.delete(f"/v1/models/{gone}").status_code == 404
    deeds = [(deed.action, deed.object_id) for deed in AuditLog(api.parts.stored.database).list().items]
    assert ("model.import", "imported") in deeds
    assert any(what == "model.delete" and which.startswith("imported@") for what, which in deeds)


def test_a_shipped_model_is_packed_from_its_folder(api: Api) -> None:
    assert api.client.get("/v1/models/lgg-unet/archive").status_code == 200  # models/ of this repository
    api.parts.stored.models.register(card("elsewhere"), "shipped:elsewhere")
    assert "not here" in api.client.get("/v1/models/elsewhere/archive").json["detail"]


def test_the_curves_are_a_picture(api: Api) -> None:
    bring(api, archive(curves_png=PNG))
    answer = api.client.get("/v1/models/imported/curves.png")
    assert (answer.status_code, answer.content_type, answer.data) == (200, "image/png", PNG)
    assert api.client.get("/v1/models/lgg-unet/curves.png").status_code == 404


def test_who_may_do_what(guarded: Api) -> None:
    infer, train, admin = (guarded.key(scope) for scope in ("infer", "train", "admin"))
    for headers in (infer, train):
        assert bring(guarded, archive(), headers=headers).status_code == 403
        assert guarded.client.delete("/v1/models/imported", headers=headers).status_code == 403
    assert bring(guarded, archive()).status_code == 401
    assert bring(guarded, archive(curves_png=PNG), headers=admin).status_code == 201
    get = guarded.client.get
    assert get("/v1/models/imported/archive", headers=infer).status_code == 403
    assert get("/v1/models/imported/archive", headers=train).status_code == 200
    assert get("/v1/models/imported/curves.png", headers=infer).status_code == 200
    assert get("/v1/models/imported/curves.png").status_code == 401


def test_a_disk_that_is_full_is_said_and_nothing_is_left(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(api.parts.stored.files, "put", full)
    assert refused(api, archive(), 503)["code"] == "storage_unavailable"
