"""What starts an evaluation, and the resource that it makes."""

from typing import Any

import marshmallow as ma
from marshmallow.validate import OneOf, Range

from service.intake.evaluations import SPLITS
from service.schemas.segmentations import JobError
from shared.contract.names import EvaluationStatus

EVALUATION_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["dataset"],
                "additionalProperties": False,
                "properties": {
                    "dataset": {
                        "type": "string",
                        "description": "Id of a dataset that is ready, or the name of one of your own.",
                    },
                    "split": {
                        "type": "string",
                        "enum": list(SPLITS),
                        "default": "all",
                        "description": "`all` patients of the dataset, those that the model learned from apart. "
                        "`test`: only those that its training kept for testing.",
                    },
                    "against": {
                        "type": "string",
                        "nullable": True,
                        "description": "Id or alias of another model, to be compared on the same patients.",
                    },
                    "test_time_augmentation": {
                        "type": "boolean",
                        "nullable": True,
                        "description": "With or without averaging over flips. Left out: as in each model's card.",
                    },
                },
            },
            "example": {"dataset": "my-study", "split": "all", "against": "default"},
        }
    },
}


class Open(ma.Schema):
    """More members may come."""

    class Meta:
        unknown = ma.INCLUDE


class Figure(Open):
    """A figure over slices or patients; null where it is not defined."""

    mean = ma.fields.Float(allow_none=True)
    median = ma.fields.Float(allow_none=True)
    ci95 = ma.fields.List(
        ma.fields.Float(),
        allow_none=True,
        metadata={"description": "Confidence interval of the mean, from the lower to the upper end."},
    )
    n = ma.fields.Integer(metadata={"description": "How many it is made of."})
    excluded = ma.fields.Integer(metadata={"description": "For how many it is not defined; see `policy`."})


class Measure(Open):
    """One measure, three ways."""

    slice = ma.fields.Nested(Figure, metadata={"description": "Each slice counts once."})
    patient = ma.fields.Nested(Figure, metadata={"description": "Each patient's volume counts once."})
    pooled = ma.fields.Nested(Figure, metadata={"description": "All pixels as of one picture."})
    unit = ma.fields.String(metadata={"description": "Of distances and areas: mm, mm2 or pixels."})


class Overlap(Open):
    """What of the dataset the model has learned from: kept out of all figures but `seen`."""

    known = ma.fields.Boolean(metadata={"description": "Whether the model says what it learned from."})
    images = ma.fields.Integer(allow_none=True)
    patients = ma.fields.Integer(allow_none=True)
    of_images = ma.fields.Integer(allow_none=True)
    of_patients = ma.fields.Integer(allow_none=True)
    detail = ma.fields.String(allow_none=True)


class EvaluationResult(Open):
    """What was measured, on patients that the model has not learned from."""

    model = ma.fields.Dict(
        metadata={
            "description": "id, name, version, architecture, encoder, parameters; `engine` that ran it, `device`."
        }
    )
    against = ma.fields.Dict(allow_none=True)
    dataset = ma.fields.Dict(
        metadata={"description": "name, format, and where its masks come from (`truth`)."}
    )
    split = ma.fields.String()
    test_time_augmentation = ma.fields.Boolean()
    threshold = ma.fields.Float()
    policy = ma.fields.Dict(metadata={"description": "How empty slices and the like are counted, in words."})
    counts = ma.fields.Dict()
    overlap = ma.fields.Nested(Overlap)
    dice = ma.fields.Nested(Measure)
    iou = ma.fields.Nested(Measure)
    precision = ma.fields.Nested(Measure)
    recall = ma.fields.Nested(Measure)
    specificity = ma.fields.Nested(Measure)
    accuracy = ma.fields.Nested(Measure)
    hd95 = ma.fields.Nested(Measure, metadata={"description": "95 % Hausdorff distance."})
    area_error = ma.fields.Nested(Measure)
    detection = ma.fields.Dict(metadata={"description": "Tumour or none, by slice and by patient."})
    classes = ma.fields.List(ma.fields.Dict(), metadata={"description": "Dice of each class of tumour."})
    t_test = ma.fields.Dict(
        allow_none=True, metadata={"description": "Paired, of areas; `plain` says it in words."}
    )
    anova = ma.fields.List(ma.fields.Dict(), metadata={"description": "Dice by group of patients."})
    bland_altman = ma.fields.Dict(allow_none=True, metadata={"description": "Agreement of areas."})
    comparison = ma.fields.Dict(allow_none=True, metadata={"description": "With the model `against`."})
    seen = ma.fields.Dict(allow_none=True, metadata={"description": "Patients that the model learned from."})
    per_patient = ma.fields.List(
        ma.fields.Dict(), metadata={"description": "By pseudonym. Left out in lists of evaluations."}
    )
    leak = ma.fields.String(
        allow_none=True, metadata={"description": "Where the model's split was by slice."}
    )
    warnings = ma.fields.List(ma.fields.String())
    timings_s = ma.fields.Raw()


class Evaluation(ma.Schema):
    """An evaluation of a model on a dataset."""

    id = ma.fields.String(required=True)
    status = ma.fields.String(required=True, validate=OneOf([status.value for status in EvaluationStatus]))
    progress = ma.fields.Float(required=True, validate=Range(0, 1))
    created_at = ma.fields.AwareDateTime(required=True)
    started_at = ma.fields.AwareDateTime(required=True, allow_none=True)
    finished_at = ma.fields.AwareDateTime(required=True, allow_none=True)
    model = ma.fields.String(required=True, metadata={"description": "Id."})
    against = ma.fields.String(required=True, allow_none=True, metadata={"description": "Id."})
    dataset = ma.fields.String(required=True, metadata={"description": "Id."})
    split = ma.fields.String(required=True, validate=OneOf(SPLITS))
    test_time_augmentation = ma.fields.Boolean(
        required=True, allow_none=True, metadata={"description": "As asked for; null: as in the card."}
    )
    result = ma.fields.Nested(
        EvaluationResult, required=True, allow_none=True, metadata={"description": "Null until it succeeded."}
    )
    error = ma.fields.Nested(JobError, required=True, allow_none=True)
    links = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)


class EvaluationPage(ma.Schema):
    """Evaluations, newest first."""

    items = ma.fields.List(ma.fields.Nested(Evaluation), required=True)
    next = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "`cursor` of the next page."}
    )
