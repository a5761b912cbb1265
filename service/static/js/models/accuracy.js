// How good a card says that its model is: volumes, yes or no, calibration, warnings, each test patient.

import { el, table } from "../dom.js";
import { number, percent, words } from "../format.js";
import { facts } from "./facts.js";
import { headline, trustworthy } from "./headline.js";
import { intervalBar } from "./interval_bar.js";
import { count, fixed, interval } from "./numbers.js";
import { scatter } from "./scatter.js";

const VARIANTS = {
  as_uploaded: "as they are in the dataset",
  grey_flair: "FLAIR alone, grey",
  sixteen_bit: "16 bit",
  "512x512": "resized to 512×512",
  "180x180": "resized to 180×180",
  "320x240": "resized to 320×240 (stretched)",
};
const KNOWN = new Set(["weights_sha256", "engine", "slices", "confidence", "volume_dice", "unlike_training_data", "split_by"]);

/** Everything of `metrics` that is there; what is not known here is listed as it is. */
export function accuracy(card) {
  const metrics = card.metrics ?? {};
  const found = headline(card);
  const rest = Object.fromEntries(Object.entries(metrics).filter(([name]) => !KNOWN.has(name)));
  return [
    metrics.volume_dice && volumes(metrics),
    metrics.slices && yesOrNo(metrics.slices),
    metrics.confidence && calibration(metrics.confidence),
    metrics.unlike_training_data && warnings(metrics.unlike_training_data),
    found?.per_patient && patients(found.per_patient),
    Object.keys(rest).length > 0 && [el("h3", {}, "Other measurements"), facts(rest)],
  ];
}

function volumes(metrics) {
  const rows = Object.entries(metrics.volume_dice).map(([name, figure]) => {
    const ci95 = trustworthy(figure);
    return [
      el("span", { class: "sent" }, VARIANTS[name] ?? words(name)),
      [el("span", { class: "with-bar" }, el("strong", {}, fixed(figure.mean)), intervalBar({ mean: figure.mean, ci95 })),
        ci95 && el("span", { class: "under" }, interval(ci95))],
      fixed(figure.median),
      number(figure.patients),
    ];
  });
  return [
    el("h3", {}, "Dice of each patient's volume"),
    table("Dice by kind of upload", ["Slices sent", "Mean, 95 % interval", "Median", "Patients"], rows),
    el("p", { class: "hint" },
      "1 is perfect agreement with the experts' outlines, 0 none. ",
      metrics.split_by === "slice" ? "Measured on slices that training did not see, of patients that it did see. " : "Measured on patients that neither training nor the choice of threshold saw. ",
      metrics.engine && `Engine: ${metrics.engine}, the one that serves. `,
      "The interval is bootstrapped over patients: it says how far other patients from the same place could differ, not how another hospital's would."),
  ];
}

function yesOrNo(slices) {
  const { slices: n, with_tumour: positive, ...shares } = slices;
  return [
    el("h3", {}, "Tumour, yes or no, by slice"),
    el("ul", { class: "share-list" }, Object.entries(shares).map(([name, share]) =>
      el("li", {}, el("strong", {}, fixed(share)), " ", name === "auc" ? "AUC" : name))),
    el("p", { class: "hint" }, `Of ${count(n, "slice")}, ${number(positive)} with tumour. Sensitivity: of slices with tumour, the share that is found. Specificity: of slices without, the share that is left empty.`),
  ];
}

function calibration({ found, not_found: missed }) {
  return [
    el("h3", {}, "Can its confidence be believed?"),
    found && el("p", {}, `Where it says tumour (${count(found.slices, "slice")}) its confidence averages ${percent(found.mean_confidence)}, and ${percent(found.share_of_mask_that_is_tumour)} of what it marks is tumour. Expected calibration error: ${fixed(found.expected_calibration_error)}.`),
    missed && el("p", {}, `Where it says none (${count(missed.slices, "slice")}) its confidence averages ${percent(missed.mean_confidence)}, and ${percent(missed.share_truly_without)} of these slices are without tumour.`),
  ];
}

function warnings(kinds) {
  return el("details", {}, el("summary", {}, "How often it warns of images unlike its training data"),
    table("Warnings by kind of image", ["Images", "Number", "Warned"],
      Object.entries(kinds).map(([kind, { images, warned }]) => [el("span", { class: "sent" }, words(kind)), number(images), percent(warned)])));
}

function patients(scores) {
  const sorted = Object.entries(scores).sort((a, b) => a[1] - b[1]);
  return el("details", {}, el("summary", {}, `Each test patient (${sorted.length})`),
    sorted.length > 1 && scatter({
      label: "Dice of each test patient", x: "patients, from worst to best", y: "Dice", low: 0, high: 1, ranks: true,
      points: sorted.map(([patient, dice], index) => ({ x: index + 1, y: dice, title: `${patient}: ${fixed(dice)}` })),
    }),
    table("Dice of each test patient", ["Patient", "Dice"], sorted.map(([patient, dice]) => [patient, fixed(dice)])));
}
