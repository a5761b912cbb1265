"""docker-compose.yml and the Dockerfiles as data, for the tests here."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
OWN = ("api", "inference-worker", "training-worker")


def compose(file: str = "docker-compose.yml") -> dict[str, Any]:
    """The file as Compose reads it, anchors resolved."""
    return yaml.safe_load((ROOT / file).read_text())


def command_of(service: str) -> list[str]:
    """A service's command line."""
    return compose()["services"][service]["command"]


def filled_in(text: str, env: Mapping[str, str]) -> str:
    """`${NAME}`, `${NAME:-instead}` and `${NAME:+if set}` as Compose replaces them."""

    def value(match: re.Match[str]) -> str:
        given, kind, other = env.get(match["name"], ""), match["kind"], match["other"] or ""
        return (other if given else "") if kind == ":+" else given or other

    return re.sub(r"\$\{(?P<name>\w+)(?:(?P<kind>:[-+])(?P<other>[^}]*))?\}", value, text)


def environment_of(service: str, env: Mapping[str, str]) -> dict[str, str]:
    """What a service is given."""
    given = compose()["services"][service].get("environment", {})
    return {name: filled_in(str(value), env) for name, value in given.items()}


def mounts_of(service: str, env: Mapping[str, str]) -> dict[str, str]:
    """What is mounted where: target to source, with `:ro` where it is read only."""
    volumes = [filled_in(volume, env).split(":") for volume in compose()["services"][service]["volumes"]]
    return {target: ":".join([source, *mode]) for source, target, *mode in volumes}


def dockerfile(name: str) -> list[str]:
    """Instructions, one string each, continuation lines joined, comments left out."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if not line.lstrip().startswith("#")]
    return [line for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines() if line.strip()]


def docker_command(name: str) -> list[str]:
    """The CMD of a Dockerfile."""
    return json.loads([line for line in dockerfile(name) if line.startswith("CMD ")][-1].removeprefix("CMD "))


def copied(name: str) -> list[str]:
    """What a Dockerfile copies from the project."""
    lines = [line.split()[1:-1] for line in dockerfile(name) if line.startswith("COPY ")]
    return [source for sources in lines for source in sources]
