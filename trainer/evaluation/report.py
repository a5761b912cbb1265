"""A result as one HTML file that needs nothing else: no script, no request, every picture inside."""

import base64
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.contract.cautions import synthetic
from shared.registry.archives import CURVES, HISTORY
from shared.reported import Report, read_reported
from trainer.engines.model_folder import ModelFolder
from trainer.evaluation import charts, texts
from trainer.evaluation.drawing import Chart
from trainer.evaluation.gallery import LEGEND, Shown
from trainer.evaluation.words import signed
from trainer.settings import VERSION

TEMPLATES = Path(__file__).parent / "templates"
RECIPES = Path(__file__).parents[2] / "recipes"
_PNG = b"\x89PNG\r\n\x1a\n"
_SHOWN = ("epoch", "train_loss", "validation_loss", "validation_dice")
_ABSURD = 1e9  # nor are there ticks for such an axis
_LIBRARIES = ("numpy", "scipy", "torch", "openvino")


def render(
    result: Mapping[str, Any],
    shown: Sequence[Shown],
    model: Path,
    *,
    projects: Sequence[Report] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> str:
    """The page; `model` is the model's folder, for its card and the curves of its training.

    `projects` are the earlier ones with their own numbers, as recipes/reported.yml has them where none are given.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,  # names of datasets, models and groups come from outside
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= _FILTERS
    made_up = synthetic(result["dataset"]["truth"])
    score = "Agreement with synthetic circles (Dice)" if made_up else "Dice"
    card = ModelFolder(model).card
    rows = [row for row in result["per_patient"] if not row["seen"]]
    return environment.get_template("report.html").render(
        r=result,
        card=card,
        recipe=_recipe(card.provenance),
        score=score,
        synthetic=made_up,
        truth=texts.truth(result["dataset"], synthetic=made_up),
        headline=texts.headline(result, synthetic=made_up),
        measures=texts.measures(result, synthetic=made_up),
        charts=_charts(result, rows, score),
        shown=shown,
        legend=LEGEND,
        training=training(model),
        reported=read_reported(RECIPES).all() if projects is None else projects,
        versions=_versions(),
        made=now(),
    )


def data_uri(data: bytes, kind: str) -> Markup:
    """Base64 has no letter that would end an attribute."""
    return Markup(f"data:image/{kind};base64,{base64.b64encode(data).decode()}")


_FILTERS = {
    "data_uri": data_uri,
    "three": texts.three,
    "interval": texts.between,
    "amount": texts.figure,
    "unit": texts.unit,
    "many": texts.many,
    "signed": signed,
}


def _charts(result: Mapping[str, Any], rows: charts.Rows, score: str) -> dict[str, Any]:
    """By name; none where there is no headline."""
    if not rows:
        return {}
    found: dict[str, Any] = {
        "dice": charts.dice_histogram(rows, score),
        "areas": charts.predicted_against_true(rows, result["t_test"]["unit"]),
        "bland_altman": charts.bland_altman(rows, result["bland_altman"]),
        "groups": {
            test["by"]: charts.by_group(rows, test, score) for test in result["anova"] if test["groups"]
        },
    }
    if result["against"] is not None:
        found["compared"] = charts.compared(rows, result["model"]["name"], result["against"]["name"])
    return found


def _versions() -> dict[str, str]:
    """Of what the numbers were made with; a machine need not have every engine."""
    found = {"evaluation": VERSION, "Python": platform.python_version()}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _recipe(provenance: Mapping[str, Any]) -> str | None:
    recipe = provenance.get("recipe")
    return str(recipe.get("name")) if isinstance(recipe, dict) else None


def training(model: Path) -> Chart | bytes | None:
    """The curves of the training, drawn from its numbers, else as they were drawn then (PNG)."""
    history, curves = model / HISTORY, model / CURVES
    if history.is_file() and (entries := _epochs(history)):
        return charts.history(entries)
    if curves.is_file() and (data := curves.read_bytes()).startswith(_PNG):
        return data
    return None


def _epochs(path: Path) -> charts.Rows:
    """Those of the file's epochs that have their numbers: a model from elsewhere may hold any JSON."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return []
    entries = content if isinstance(content, list) else []
    return [
        {name: entry[name] for name in _SHOWN if _sensible(entry.get(name))}
        for entry in entries
        if isinstance(entry, dict) and all(_sensible(entry.get(name)) for name in _SHOWN[:2])
    ]


def _sensible(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < _ABSURD
