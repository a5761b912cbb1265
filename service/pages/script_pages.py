"""Pages that JavaScript fills from the public API: training, models, system. What they can do, every client can."""

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from service.web.auth import require
from shared.contract.errors import Unauthenticated

blueprint = Blueprint("script_pages", __name__)


@dataclass(frozen=True)
class Shell:
    """A page: its address, title, the entry of the navigation that it belongs to, and its module in static/js."""

    rule: str
    title: str
    section: str
    module: str


SHELLS = {
    "training": Shell("/training", "Training", "Training", "training/overview.js"),
    "new_run": Shell("/training/new", "New training run", "Training", "training/new_run.js"),
    "compare": Shell("/training/compare", "Compare training runs", "Training", "training/compare.js"),
    "run": Shell("/training/runs/<item>", "Training run", "Training", "training/run.js"),
    "dataset": Shell("/training/datasets/<item>", "Dataset", "Training", "training/dataset.js"),
    "models": Shell("/models", "Models", "Models", "models/overview.js"),
    "model": Shell("/models/<item>", "Model", "Models", "models/model.js"),
    "evaluation": Shell("/evaluations/<item>", "Evaluation", "Models", "models/evaluation.js"),
    "system": Shell("/system", "System", "System", "system.js"),
}


@blueprint.before_request
def sign_in_first() -> Response | None:
    """A person without a session goes to /login and comes back; what the key may do, the API decides."""
    try:
        require()
    except Unauthenticated:
        return redirect(url_for("login.form", next=request.full_path.rstrip("?")), 303)
    return None


def _show(name: str, item: str = "") -> str:
    return render_template("shell.html", shell=SHELLS[name], section=SHELLS[name].section, item=item)


for _name, _shell in SHELLS.items():
    blueprint.add_url_rule(_shell.rule, _name, _show, methods=["GET"], defaults={"name": _name})
