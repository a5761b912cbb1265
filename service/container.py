"""What create_app builds, in one place, for the views to find: each room's parts are built in that room."""

from dataclasses import dataclass, field
from typing import Self

from flask import current_app

from service.intake.parts import Intake
from service.presentation.parts import Presentation
from service.settings import ServiceSettings
from service.stored import Stored
from service.web.metrics import Metrics

EXTENSION = "services"


@dataclass(frozen=True)
class Services:
    """The parts of a running API."""

    settings: ServiceSettings
    stored: Stored
    intake: Intake
    presentation: Presentation
    metrics: Metrics = field(default_factory=Metrics)

    @classmethod
    def build(cls, settings: ServiceSettings, stored: Stored) -> Self:
        """All rooms, over what is stored."""
        intake = Intake.build(settings, stored)
        return cls(settings, stored, intake, Presentation.build(settings, stored, intake.presets))


def services() -> Services:
    """Those of the application that answers the current request."""
    found: Services = current_app.extensions[EXTENSION]
    return found
