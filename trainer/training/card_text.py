"""The card as Markdown, for people."""

from typing import Any

from shared.registry.cards import ModelCard

VARIANT_NAMES = {
    "as_uploaded": "slices as they are in the dataset",
    "grey_flair": "FLAIR alone, grey",
    "sixteen_bit": "16 bit",
    "512x512": "resized to 512x512",
    "180x180": "resized to 180x180",
    "320x240": "resized to 320x240 (stretched)",
}


def render(card: ModelCard) -> str:
    """Markdown: what the model is, what it learned from, how good it is, what it is not for."""
    parts = [
        f"# {card.name} {card.version}",
        card.description,
        f"**Intended use.** {card.intended_use}",
        f"**Not for.** {card.not_for}",
        f"**Data.** {card.provenance.get('data', '')}",
        f"**Licence.** {card.licence}",
        _network(card),
        _accuracy(card),
        _origin(card.provenance),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _network(card: ModelCard) -> str:
    weights, calibration = card.weights, card.calibration
    flips = ", ".join(card.test_time_augmentation) or "none"
    encoder = f" with encoder {card.encoder}" if card.encoder else ""
    channels = f" ({', '.join(card.channels)})" if card.channels else ""
    return (
        f"**Network.** {card.architecture}{encoder}, {weights.parameters / 1e6:.1f} M parameters; channels: "
        f"{card.in_channels}{channels}; labels: {', '.join(label.name for label in card.labels)}; "
        f"{weights.bytes / 1e6:.1f} MB in half precision; test-time flips: {flips}; threshold {card.threshold}; "
        f"regions under {card.min_region_pixels} pixels (of {card.preprocessing['image_size']}x"
        f"{card.preprocessing['image_size']}) are dropped; probability = sigmoid({calibration.scale:.3f} x logit "
        f"{calibration.bias:+.3f})."
    )


def _accuracy(card: ModelCard) -> str:
    metrics = card.metrics
    if "volume_dice" not in metrics:
        return ""
    same = metrics["weights_sha256"] == card.weights.sha256
    whose = (
        "The numbers belong to the weights in this folder."
        if same
        else "**The numbers belong to the weights that the run started from** (SHA-256 "
        f"{metrics['weights_sha256'][:12]}...), which had not seen the test patients. The weights in this folder went "
        "on learning from all patients, the test patients too, so no honest number of their own can be had here."
    )
    rows = "\n".join(_row(name, values) for name, values in metrics["volume_dice"].items())
    measured = "whole volume, on patients that neither training nor the choice of threshold saw"
    if metrics.get("split_by") == "slice":
        measured = (
            "slices that neither training nor the choice of threshold saw; **both saw other slices of the same "
            "patients**, often their neighbours"
        )
    return (
        f"## Accuracy\n\n{whose} Measured in the engine that serves ({metrics['engine']}): Dice of each "
        f"patient's {measured}; intervals are bootstrapped by patient (95 %).\n\n"
        "| upload | patients | mean | interval | median | interval |\n|---|---|---|---|---|---|\n"
        f"{rows}\n\n{_sources(metrics)}{_slices(metrics)}\n\n{_unlike(card)}\n\n{_per_patient(metrics['volume_dice']['as_uploaded'])}"
    )


def _row(name: str, values: dict[str, Any]) -> str:
    low, high = values["ci95"]
    median_low, median_high = values["median_ci95"]
    return (
        f"| {VARIANT_NAMES[name]} | {values['patients']} | {values['mean']:.3f} | {low:.3f} to {high:.3f} "
        f"| {values['median']:.3f} | {median_low:.3f} to {median_high:.3f} |"
    )


def _sources(metrics: dict[str, Any]) -> str:
    """Each dataset of a run over several, and its groups."""
    if "sources" not in metrics:
        return ""
    rows = []
    for name, values in metrics["sources"].items():
        dice, slices, of = values["dice"], values["slices"], "slices" if values["by"] == "slice" else "patients"
        figures = {"patients": dice["patients"], **dice, "sensitivity": slices["sensitivity"]}
        rows.append(_source_row(name, of, figures))
        for grouping in values["groups"].values():
            rows += [_source_row(f"{name}: {group}", of, figures) for group, figures in grouping.items()]
    return (
        f"These and what follows are of the test part of {metrics['source']}. Each dataset's, as it is; slices of a "
        "dataset whose patients are not known are counted by themselves, though neighbours are alike:\n\n"
        "| dataset | number | mean Dice | median | slices with tumour where it was said |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n\n"
    )


def _source_row(name: str, of: str, figures: dict[str, Any]) -> str:
    said = figures["sensitivity"]
    return (
        f"| {name} | {figures['patients']} {of} | {figures['mean']:.3f} | {figures['median']:.3f} "
        f"| {'(not measured)' if said is None else f'{100 * said:.1f} %'} |"
    )


def _slices(metrics: dict[str, Any]) -> str:
    slices, confidence = _shown(metrics["slices"]), metrics["confidence"]
    found, missed = _shown(confidence["found"]), _shown(confidence["not_found"])
    return (
        f"Tumour yes/no by slice ({slices['slices']} slices, {slices['with_tumour']} with tumour): sensitivity "
        f"{slices['sensitivity']}, specificity {slices['specificity']}, AUC {slices['auc']}.\n\n"
        f"Confidence: where tumour was said ({found['slices']} slices) it averages {found['mean_confidence']} and "
        f"{found['share_of_mask_that_is_tumour']} of the mask's pixels are tumour (expected calibration error "
        f"{found['expected_calibration_error']}); where none was said ({missed['slices']} slices) it averages "
        f"{missed['mean_confidence']} and {missed['share_truly_without']} of the slices are without tumour."
    )


def _shown(values: dict[str, Any]) -> dict[str, str]:
    """Counts as they are, the rest with three digits."""
    return {
        name: str(value) if isinstance(value, int) else "(not measured)" if value is None else f"{value:.3f}"
        for name, value in values.items()
    }


def _set_on(card: ModelCard) -> str:
    alone = "the validation patients' slices alone"
    other = card.provenance.get("outsiders")
    if other is None:
        return alone
    return f"{alone}, but for that of {other['name']}, which learned from real images of that kind as well"


def _unlike(card: ModelCard) -> str:
    metrics = card.metrics
    rows = "\n".join(
        f"| {kind} | {values['images']} | {100 * values['warned']:.1f} % |"
        for kind, values in metrics["unlike_training_data"].items()
    )
    return (
        f"The warning `unlike_training_data`; its limits were set on {_set_on(card)}:\n\n"
        f"| images | number | warned |\n|---|---|---|\n{rows}"
    )


def _per_patient(values: dict[str, Any]) -> str:
    rows = "\n".join(f"| {name} | {score:.3f} |" for name, score in values["per_patient"].items())
    return f"| test patient | volume Dice |\n|---|---|\n{rows}"


def _origin(provenance: dict[str, Any]) -> str:
    if "split" not in provenance:  # trained elsewhere
        return ""
    split = {name: len(patients) for name, patients in provenance["split"].items()}
    selection = provenance["selection"]
    units = "Slices" if provenance["recipe"].get("split") == "slice" else "Patients"
    return (
        f"## Origin\n\nStart: {provenance['start']}. {units}: {split['train']} to learn from, {split['validation']} "
        f"to choose by, {split['test']} to be measured on; {provenance['slices']} slices; "
        f"{provenance['epochs']} epochs, seed {provenance['recipe']['seed']}. Threshold, smallest region and "
        f"calibration were chosen on {selection['on']} (mean volume Dice there {selection['validation_dice']:.3f})."
    )
