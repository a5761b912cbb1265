"""Training runs and what there is to choose from, as answers."""

import marshmallow as ma
from marshmallow.validate import OneOf, Range

from service.schemas.common import Strict
from service.schemas.run_fields import TYPES
from service.schemas.run_words import GROUPS
from service.schemas.segmentations import JobError
from shared.contract.names import RunStatus

MAX_TAIL = 100_000
MAX_EVENT = 2**31 - 1


class Progress(ma.Schema):
    """How far a run is; null while it is not known."""

    stage = ma.fields.String(allow_none=True, metadata={"example": "training"})
    epoch = ma.fields.Integer(allow_none=True)
    epochs = ma.fields.Integer(allow_none=True)
    step = ma.fields.Integer(allow_none=True, metadata={"description": "Within the epoch."})
    steps = ma.fields.Integer(allow_none=True)
    eta_s = ma.fields.Float(allow_none=True, metadata={"description": "Seconds until the end, an estimate."})


class Epoch(ma.Schema):
    """An epoch that is done."""

    class Meta:
        unknown = ma.INCLUDE

    epoch = ma.fields.Integer(required=True, metadata={"description": "From 1."})
    train_loss = ma.fields.Float(allow_none=True)
    validation_loss = ma.fields.Float(allow_none=True)
    validation_dice = ma.fields.Float(allow_none=True)


class TrainingRun(ma.Schema):
    """A training run."""

    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    status = ma.fields.String(required=True, validate=OneOf([status.value for status in RunStatus]))
    recipe = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "The preset it began with."}
    )
    dataset = ma.fields.String(required=True, metadata={"description": "Id."})
    progress = ma.fields.Nested(Progress, required=True)
    epochs = ma.fields.List(ma.fields.Nested(Epoch), required=True)
    model = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "Id, once it succeeded."}
    )
    error = ma.fields.Nested(JobError, required=True, allow_none=True)
    attempts = ma.fields.Integer(
        required=True, metadata={"description": "Processes that were started for it."}
    )
    created_at = ma.fields.AwareDateTime(required=True)
    started_at = ma.fields.AwareDateTime(required=True, allow_none=True)
    finished_at = ma.fields.AwareDateTime(required=True, allow_none=True)
    specification = ma.fields.Dict(
        keys=ma.fields.String(),
        required=True,
        metadata={"description": "Everything that was decided; may be sent again as it is."},
    )
    links = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)


class TrainingRunPage(ma.Schema):
    """Training runs, newest first."""

    items = ma.fields.List(ma.fields.Nested(TrainingRun), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class EventsQuery(Strict):
    """`?after=`, for clients that cannot send `Last-Event-ID`."""

    after = ma.fields.Integer(
        load_default=0,
        validate=Range(0, MAX_EVENT),
        metadata={"description": "Number of the last event you have; `Last-Event-ID` says the same."},
    )


class LogQuery(Strict):
    """`?tail=`: only the last lines of the log."""

    tail = ma.fields.Integer(
        load_default=None,
        validate=Range(1, MAX_TAIL),
        metadata={"description": "Only so many lines, the last ones."},
    )


class Option(ma.Schema):
    """A number with its default and limits."""

    default = ma.fields.Float(required=True)
    minimum = ma.fields.Float(required=True)
    maximum = ma.fields.Float(required=True)
    whole = ma.fields.Boolean(required=True, metadata={"description": "16 or 16.0, but not 16.5."})


class Choice(ma.Schema):
    """One name to choose."""

    name = ma.fields.String(required=True)
    description = ma.fields.String(required=True, metadata={"description": "One sentence."})
    options = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Nested(Option), required=True)


class Architecture(Choice):
    """A network that a run can train, with its options and encoders."""

    encoders = ma.fields.List(
        ma.fields.String(),
        required=True,
        metadata={"description": "Those that it can be built over; none where it has its own."},
    )


class Loss(Choice):
    """A loss that a run can minimise, with its options."""

    several_classes = ma.fields.Boolean(
        required=True, metadata={"description": "For several `classes`, instead of for tumour or not."}
    )


class AugmentationChoice(ma.Schema):
    """A random change and its strength."""

    default = ma.fields.Float(required=True, allow_none=True)
    minimum = ma.fields.Float(required=True)
    maximum = ma.fields.Float(required=True)
    name = ma.fields.String(required=True)
    description = ma.fields.String(required=True, metadata={"description": "One sentence."})


class Reported(ma.Schema):
    """What an earlier project reported, and why no number of ours can be set beside it."""

    project = ma.fields.String(required=True)
    source = ma.fields.String(required=True)
    reported = ma.fields.String(required=True)
    on = ma.fields.String(required=True, metadata={"description": "Data and split."})
    why_not_comparable = ma.fields.String(required=True)


class Preset(ma.Schema):
    """A recipe to begin with."""

    name = ma.fields.String(required=True, metadata={"description": "For `recipe` of a new run."})
    description = ma.fields.String(required=True)
    fields_ = ma.fields.Dict(
        keys=ma.fields.String(),
        required=True,
        data_key="fields",
        metadata={"description": "All fields of the specification, as this preset has them."},
    )
    reported = ma.fields.List(
        ma.fields.Nested(Reported),
        required=True,
        metadata={"description": "What the project that it follows reported of itself."},
    )


class RunField(ma.Schema):
    """A field of `POST /v1/training-runs`, as a form asks for it; null where something does not apply."""

    name = ma.fields.String(
        required=True,
        metadata={
            "description": "As `errors` names it. A member of an object is `limit.patients`, sent as "
            '`{"limit": {"patients": …}}`.'
        },
    )
    group = ma.fields.String(required=True, validate=OneOf([*GROUPS]))
    description = ma.fields.String(required=True, metadata={"description": "One sentence or two."})
    type = ma.fields.String(
        required=True,
        validate=OneOf(TYPES),
        metadata={
            "description": "`choice`: one of `choices`; `choices`: several of them; `names`: several words that the "
            "dataset knows; `numbers`: a list of as many as `default` has; `options`: an object of numbers by name."
        },
    )
    required = ma.fields.Boolean(required=True)
    nullable = ma.fields.Boolean(required=True)
    default = ma.fields.Raw(
        required=True,
        allow_none=True,
        metadata={"description": "Without a preset. Null also where there is none."},
    )
    minimum = ma.fields.Float(required=True, allow_none=True)
    exclusive_minimum = ma.fields.Boolean(
        required=True, metadata={"description": "It must be above `minimum`."}
    )
    maximum = ma.fields.Float(required=True, allow_none=True)
    multiple_of = ma.fields.Float(required=True, allow_none=True)
    max_length = ma.fields.Integer(required=True, allow_none=True, metadata={"description": "Characters."})
    choices = ma.fields.List(ma.fields.String(), required=True, allow_none=True)
    table = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The member of this answer that explains the choices.", "example": "losses"},
    )
    options_of = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The field whose choice has these `options`.", "example": "loss"},
    )


class Catalog(ma.Schema):
    """All that can be chosen by name."""

    architectures = ma.fields.List(ma.fields.Nested(Architecture), required=True)
    encoders = ma.fields.List(ma.fields.Nested(Choice), required=True)
    losses = ma.fields.List(ma.fields.Nested(Loss), required=True)
    optimizers = ma.fields.List(ma.fields.Nested(Choice), required=True)
    schedules = ma.fields.List(ma.fields.Nested(Choice), required=True)
    normalizations = ma.fields.List(ma.fields.Nested(Choice), required=True)
    splits = ma.fields.List(ma.fields.Nested(Choice), required=True)
    dataset_formats = ma.fields.List(ma.fields.Nested(Choice), required=True)
    augmentations = ma.fields.List(ma.fields.Nested(AugmentationChoice), required=True)
    recipes = ma.fields.List(ma.fields.Nested(Preset), required=True)
    fields_ = ma.fields.List(
        ma.fields.Nested(RunField),
        required=True,
        data_key="fields",
        metadata={"description": "All that a run takes, by group, in the order in which a form asks."},
    )
