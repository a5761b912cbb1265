// Tumour, yes or no: the shares with their intervals, by slice and by patient.

import { el, table } from "../dom.js";
import { intervalBar } from "./interval_bar.js";
import { count, fixed, interval } from "./numbers.js";

const ROWS = [
  ["sensitivity", "Sensitivity", "with tumour, and found"],
  ["specificity", "Specificity", "without, and left empty"],
  ["accuracy", "Accuracy", "right, of all"],
  ["auc", "AUC", "of the highest probability"],
];

const cell = (share) => (Number.isFinite(share?.value)
  ? [el("span", { class: "with-bar" }, el("strong", {}, fixed(share.value)), intervalBar({ mean: share.value, ci95: share.ci95 })),
    el("span", { class: "under" }, [share.ci95 && interval(share.ci95), `n ${share.n}`].filter(Boolean).join(" · "))]
  : "–");

/** The shares of `detection` ({slice, patient}). */
export function detectionTable({ slice, patient }) {
  return [
    table("Table of yes and no", ["Share", "By patient", "By slice"],
      ROWS.map(([name, title, meaning]) => [[title, el("span", { class: "under" }, meaning)], cell(patient[name]), cell(slice[name])])),
    el("p", { class: "hint" }, `${count(patient.n, "patient")}, ${patient.with_tumour} with tumour; ${count(slice.n, "slice")}, ${slice.with_tumour} with tumour.`),
  ];
}
