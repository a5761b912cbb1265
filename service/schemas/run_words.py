"""Each field of a training run in a sentence, by group, in the order in which a form asks for them."""

from collections.abc import Mapping

from shared import catalog

GROUPS: Mapping[str, Mapping[str, str]] = {
    "data": {
        "recipe": "A preset of `/v1/catalog` to begin with; the other fields replace its own.",
        "dataset": "Id of a dataset that is ready, or the name of one of your own.",
        "name": "Of the run and its model. Needed without `recipe`.",
        "description": "Stands in the model's card.",
        "modalities": "Of the dataset's named ones, in this order; empty for all.",
        "classes": "1: tumour or not. Else the number of classes of the dataset, without background.",
        "image_size": "Side in pixels of what the network sees, a multiple of 32.",
        "normalization": "How intensities of scanners and sequences are made comparable.",
        "split": "`patient`: no patient in two parts. `slice` can make the numbers too good.",
        "split_fractions": "Train, validation, test; they add up to 1.",
        "limit": "Less than all, to try things out.",
        "limit.patients": "Only so many patients; null for all.",
        "limit.steps_per_epoch": "Only so many steps an epoch; null for all.",
    },
    "network": {
        "architecture": "The network.",
        "architecture_options": "Numbers that the architecture takes: see `/v1/catalog`.",
        "encoder": "One that the architecture can be built over; null where it has its own.",
        "encoder_weights": "What the encoder begins with: `imagenet`, or null for random weights.",
    },
    "learning": {
        "epochs": "How often the network sees all slices that are drawn.",
        "batch_size": "Slices that are looked at together; more take more memory.",
        "learning_rate": "The highest of the schedule; above 0.",
        "schedule": "How the learning rate changes from step to step.",
        "optimizer": "How a step follows from the gradient.",
        "weight_decay": "How much weights are pulled to 0 in each step; against learning by heart.",
        "loss": "What is made small: the disagreement with the masks.",
        "loss_options": "Numbers that the loss takes: see `/v1/catalog`.",
        "early_stopping_patience": "Epochs without a better validation Dice after which it stops; 0 for never.",
    },
    "augmentation": {
        "augmentations": "Random changes to image and mask: see `/v1/catalog`. Members left out keep the preset's.",
        **{f"augmentations.{name}": sentence for name, sentence in catalog.AUGMENTATIONS.items()},
    },
    "advanced": {
        "dataset_format": "The dataset's own, or left out.",
        "in_channels": "As the dataset's, or as many as `modalities`; may be left out.",
        "gradient_accumulation": "Batches whose gradients make one step.",
        "gradient_clip": "Largest norm of the gradient; 0 for no limit.",
        "autocast": "Whether networks compute in bfloat16.",
        "empty_per_tumour": "Tumour-free slices drawn each epoch, per slice with tumour.",
        "ema_decay": "Of the averaged weights, which become the model.",
        "test_time_augmentation": "Flips over which predictions are averaged.",
        "validate_every": "Epochs between validations.",
        "seed": "Of all that is random: the same run with the same seed gives the same model.",
        "card": "What the model's card says in words.",
        "card.version": "Version of the model.",
        "card.data": "What it learned from.",
        "card.licence": "Under which licence the model may be used, which that of the data decides.",
        "card.intended_use": "What the model is for.",
        "card.not_for": "What the model must not be used for.",
    },
}
WORDS = {place: sentence for group in GROUPS.values() for place, sentence in group.items()}
