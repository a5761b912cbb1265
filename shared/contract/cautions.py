"""Sentences that stand wherever figures are shown which a reader could take for more than they are."""

SLICE_SPLIT_WARNING = (
    "This model was trained with a split by slice: neighbouring slices of the same patient are in more than one part. "
    "They look almost alike, so these figures can be too good, and they say nothing about new patients. Measured on "
    "LGG after a short training, on the same slices: Dice -0.010 against a split by patient (95 % interval -0.030 to "
    "0.007), which cannot be told from chance; a longer training was not measured (docs/recipes.md)."
)
SYNTHETIC_TRUTH_WARNING = (
    "The masks of this dataset were not drawn by a person but made up from simpler labels: figures against them say "
    "how well the model follows that rule, not how well it finds tumour."
)
RESEARCH_ONLY = "For research only. Not a medical device, and not for decisions about patients."


def synthetic(truth: str) -> bool:
    """Whether what a dataset says of its masks means that they were made up rather than drawn."""
    return any(word in truth.casefold() for word in ("synthetic", "circle"))
