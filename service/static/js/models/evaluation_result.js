// What an evaluation found: the headline, what to be careful about, measures, tests, patients, and how it was counted.

import { el, table } from "../dom.js";
import { duration, words } from "../format.js";
import { detectionTable } from "./detection_table.js";
import { facts, pairs } from "./facts.js";
import { intervalBar } from "./interval_bar.js";
import { measuresTable } from "./measures_table.js";
import { count, fixed, interval } from "./numbers.js";
import { patientsPlot, patientsTable } from "./patients_table.js";
import { tests } from "./tests.js";

const card = (anchor, title, ...content) => el("section", { class: "card", "aria-labelledby": anchor }, el("h2", { id: anchor }, title), content);

/** The result as sections. */
export function resultSections(result) {
  const patients = result.per_patient ?? [];
  // where the model has seen everybody there is nothing to show of the others
  const measured = result.dice?.patient?.n > 0;
  return [
    el("div", { class: "halves" }, headline(result), cautions(result)),
    measured && card("h-measures", "Measures", measuresTable(result, "Table of measures")),
    !measured && result.seen && card("h-seen", "Patients that the model learned from", el("p", {}, "These numbers are too good, and say nothing about other patients."), measuresTable(result.seen, "Table of measures")),
    el("div", { class: "halves" },
      measured && result.detection && card("h-detection", "Tumour, yes or no", detectionTable(result.detection)),
      patients.length > 0 && card("h-plot", "Patient by patient", patientsPlot(result) ?? el("p", { class: "hint" }, "One patient alone makes no picture."),
        result.classes?.length > 0 && classes(result.classes))),
    measured && card("h-tests", "What the tests say", tests(result)),
    patients.length > 0 && card("h-patients", `Each patient (${patients.length})`, patientsTable(result)),
    card("h-how", "How it was measured", conditions(result),
      result.comparison?.against && folded(`The same measures of ${result.against?.id ?? "the other model"}`, measuresTable(result.comparison.against, "Measures of the other model")),
      measured && result.seen && folded(`Patients that the model learned from (${result.seen.patients}), kept out of all numbers above`, measuresTable(result.seen, "Measures of patients that were learned from")),
      result.counts && folded("Counts", facts(result.counts)),
      result.policy && folded("How empty slices and the like are counted", facts(result.policy))),
  ];
}

const folded = (title, content) => el("details", {}, el("summary", {}, title), content);

function headline(result) {
  const dice = result.dice?.patient, ci95 = dice?.n > 1 ? dice.ci95 : null;
  return card("h-headline", "In one number", Number.isFinite(dice?.mean)
    ? el("div", { class: "score" },
      el("p", { class: "number" }, el("strong", {}, fixed(dice.mean)), " mean Dice of whole volumes"),
      intervalBar({ mean: dice.mean, ci95 }),
      el("p", { class: "hint" }, ci95 ? `95 % interval ${interval(ci95)}` : "No interval: it takes several patients", ` · ${count(dice.n, "patient")} · median ${fixed(dice.median)}`))
    : el("p", {}, "There is no number: no patient is left that the model has not learned from. Evaluate it on other data."),
  result.dataset?.truth && el("p", { class: "hint" }, `Compared with: ${result.dataset.truth}.`));
}

function cautions(result) {
  const said = [...new Set([...(result.warnings ?? []), result.leak, result.overlap?.detail].filter(Boolean))];
  const { overlap } = result;
  return card("h-careful", "To be careful about",
    overlap && el("p", {}, el("strong", {}, overlap.patients
      ? `${overlap.patients} of ${count(overlap.of_patients, "patient")} left out: the model learned from them. `
      : `None of ${count(overlap.of_patients, "patient")} was learned from${overlap.known ? "" : ", as far as is known"}. `)),
    el("ul", { class: "cautions" }, said.map((text) => el("li", {}, text))));
}

function conditions(result) {
  const engine = [result.model?.engine, result.model?.device].filter(Boolean).join(" on ");
  const times = typeof result.timings_s === "object" && result.timings_s !== null ? result.timings_s : {};
  return pairs([
    ["Engine", engine],
    ["Threshold", Number.isFinite(result.threshold) && String(result.threshold)],
    ["Averaging over flips", result.test_time_augmentation ? "yes" : "no"],
    ["Time", Number.isFinite(times.total) && `${duration(times.total)} (${Object.entries(times).filter(([name]) => name !== "total").map(([name, s]) => `${words(name).toLowerCase()} ${duration(s)}`).join(", ")})`],
  ]);
}

function classes(list) {
  return [el("h3", {}, "Each class"),
    table("Dice of each class", ["Class", "Mean Dice by patient", "95 % interval", "Patients"], list.map(({ name, dice: { patient } }) =>
      [name, fixed(patient.mean), interval(patient.n > 1 ? patient.ci95 : null) || "–", String(patient.n)]))];
}
