"""The report of a training run: at any time, in one file, with what a reader must know."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.contract.cautions import RESEARCH_ONLY, SLICE_SPLIT_WARNING, SYNTHETIC_TRUTH_WARNING
from shared.files.paths import run_picture_path
from tests.fakes.cards import card
from tests.fakes.studies import claimed, ready_dataset
from tests.service.conftest import Api

RUNS = "/v1/training-runs"
METRICS = {
    "volume_dice": {
        "as_uploaded": {
            "mean": 0.8765,
            "median": 0.9,
            "ci95": [0.8123, 0.9321],
            "patients": 14,
            "per_patient": {},
        },
    }
}
REPORTED = """
- recipe: lgg-unet
  project: A project <b>elsewhere</b>
  source: https://example.org/project (README.md)
  reported: Dice 0.99
  "on": slices
  why_not_comparable: Neighbouring slices.
- recipe: another
  project: Not this one
  source: nowhere
  reported: nothing
  "on": nothing
  why_not_comparable: Because.
"""


@pytest.fixture
def api(api: Api) -> Api:
    """With a dataset to train on."""
    ready_dataset(api.parts.stored.datasets, truth="masks of the dataset")
    return api


def start(api: Api, **changes: Any) -> dict[str, Any]:
    given = {"recipe": "lgg-unet", "dataset": "study", "epochs": 2} | changes
    made: dict[str, Any] = api.client.post(RUNS, json=given).json
    return made


def page(api: Api, run: dict[str, Any]) -> str:
    answer = api.client.get(run["links"]["report"])
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    return re.sub(r"\s+", " ", answer.text)


def test_a_run_that_waits_has_a_report_of_what_was_asked_for(api: Api) -> None:
    text = page(api, start(api, name="First <try>", learning_rate=0.5))
    assert "First &lt;try&gt;" in text and "<strong>queued</strong>" in text
    assert RESEARCH_ONLY in text and "has not ended" in text
    assert re.search(r'class="changed"><th scope="row">learning_rate</th><td>0.5', text)
    assert re.search(r'<tr><th scope="row">batch_size</th>', text)
    assert "<td>20</td>" in text and "masks of the dataset" in text
    assert SLICE_SPLIT_WARNING not in text and SYNTHETIC_TRUTH_WARNING not in text


def test_it_needs_nothing_else_and_runs_nothing(api: Api) -> None:
    run = start(api)
    answer = api.client.get(run["links"]["report"])
    policy = answer.headers["Content-Security-Policy"]
    assert "script" not in policy and "'self'" not in policy and "img-src data:" in policy
    assert "<script" not in answer.text and "<link" not in answer.text
    assert not re.search(r'(src|style)="(?!data:)', answer.text)


def test_pictures_epochs_and_figures_are_shown_once_they_are_there(api: Api) -> None:
    run = start(api)
    runs, claim = api.parts.stored.runs, claimed(api.parts.stored.runs)
    classes = {"oedema": 0.25}
    runs.epoch(
        claim, {"epoch": 1, "train_loss": 0.75, "validation_dice": None, "validation_dice_by_class": classes}
    )
    for name in ("curves", "samples"):
        api.parts.stored.files.write(run_picture_path(run["id"], name), f"PNG of {name}".encode())
    runs.succeed(claim, card("made", metrics=METRICS), "models/made.1")
    text = page(api, run)
    for name in ("curves", "samples"):
        assert f"data:image/png;base64,{base64.b64encode(f'PNG of {name}'.encode()).decode()}" in text
    assert '<th scope="row">1</th><td>0.75</td><td>–</td><td>0.25</td>' in text
    assert "<td>0.876</td><td>0.812 to 0.932</td><td>0.900</td><td>14</td>" in text
    assert 'href="/v1/models/made"' in text and "has not ended" not in text


def test_a_model_without_test_patients_has_no_figures_and_says_so(api: Api) -> None:
    run = start(api)
    api.parts.stored.runs.succeed(claimed(api.parts.stored.runs), card("made", metrics={}), "models/made.1")
    assert "No patients were kept for testing" in page(api, run)


def test_a_failure_and_what_was_deleted_are_said(api: Api) -> None:
    run, other = start(api), start(api)
    api.parts.stored.runs.fail(claimed(api.parts.stored.runs), "out_of_memory", "Too <little>.")
    api.parts.stored.runs.succeed(claimed(api.parts.stored.runs), card("made"), "models/made.1")
    api.parts.stored.models.delete("made")
    api.parts.stored.datasets.delete(run["dataset"])
    assert "Too &lt;little&gt;." in page(api, run) and "(out_of_memory)" in page(api, run)
    text = page(api, other)
    assert "The model made was deleted since." in text
    assert f"The dataset ({run['dataset']}) was deleted since." in text


def test_a_split_by_slice_is_warned_of(api: Api) -> None:
    assert SLICE_SPLIT_WARNING in page(api, start(api, split="slice"))


def test_synthetic_masks_are_warned_of(api: Api) -> None:
    ready_dataset(api.parts.stored.datasets, "circles", truth="synthetic: a circle over the brightest place")
    assert SYNTHETIC_TRUTH_WARNING in page(api, start(api, dataset="circles"))


def test_what_was_reported_elsewhere_stands_beside_it_with_the_reason_not_to_compare(
    make_api: Callable[..., Api], tmp_path: Path
) -> None:
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    (recipes / "lgg-unet.yaml").write_text(Path("recipes/lgg-unet.yaml").read_text())
    (recipes / "reported.yml").write_text(REPORTED)
    api = make_api(recipes_dir=recipes)
    ready_dataset(api.parts.stored.datasets)
    text = page(api, start(api))
    assert "A project &lt;b&gt;elsewhere&lt;/b&gt;" in text and "Not this one" not in text
    assert "Not to be compared" in text and "Neighbouring slices." in text
    assert '<a href="https://example.org/project" rel="noopener noreferrer">' in text


def test_a_client_that_has_it_is_told_so(api: Api) -> None:
    run = start(api)
    first = api.client.get(run["links"]["report"])
    again = api.client.get(run["links"]["report"], headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


def test_a_run_of_another_is_404(guarded: Api) -> None:
    keys = guarded.parts.stored.keys
    (mine, secret), (_, other) = keys.create("mine", ("train",)), keys.create("other", ("train",))
    ready_dataset(guarded.parts.stored.datasets, owner=mine)
    given = {"recipe": "lgg-unet", "dataset": "study"}
    run = guarded.client.post(RUNS, json=given, headers={"Authorization": f"Bearer {secret}"}).json
    asked = guarded.client.get(run["links"]["report"], headers={"Authorization": f"Bearer {other}"})
    assert asked.status_code == 404
    assert guarded.client.get(run["links"]["report"]).status_code == 401
