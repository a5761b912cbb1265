// The measures of an evaluation as one table: by patient, by slice, pooled; each with its interval and what was left out.

import { el } from "../dom.js";
import { number } from "../format.js";
import { intervalBar } from "./interval_bar.js";
import { amount, fixed, interval, unit } from "./numbers.js";

const MEASURES = {
  dice: ["Dice", "overlap with the truth; 1 is perfect"],
  iou: ["IoU", "overlap, stricter than Dice"],
  precision: ["Precision", "of what is marked, the share that is tumour"],
  recall: ["Recall", "of the tumour, the share that is marked"],
  specificity: ["Specificity", "of the rest, the share that is left free"],
  accuracy: ["Accuracy", "of all pixels, the share that is right; high for anybody, since most are no tumour"],
  hd95: ["HD95", "distance between the outlines, all but the worst 5 %"],
  area_error: ["Area error", "marked minus true area; 0 is best"],
};
const WAYS = [["patient", "By patient"], ["slice", "By slice"], ["pooled", "Pooled"]];

function cell(figure, { share, way }) {
  if (!figure || !Number.isFinite(figure.mean)) return "–";
  const write = share ? fixed : amount;
  const ci95 = figure.n > 1 ? figure.ci95 : null;
  return [
    el("span", { class: "with-bar" }, el("strong", {}, write(figure.mean)), share && intervalBar({ mean: figure.mean, ci95 })),
    ci95 && el("span", { class: "under" }, interval(ci95, write)),
    way !== "pooled" && el("span", { class: "under" },
      `median ${write(figure.median)} · n ${number(figure.n)}`, figure.excluded > 0 && `, ${number(figure.excluded)} not defined`),
  ];
}

/** The table of `summary` (dice, iou, …: each {slice, patient, pooled}); `label` names it. */
export function measuresTable(summary, label) {
  const rows = Object.entries(MEASURES).filter(([name]) => summary[name]).map(([name, [title, meaning]]) => {
    const measure = summary[name], share = measure.unit === undefined;
    return el("tr", {},
      el("th", { scope: "row", class: "measure" }, share ? title : `${title}, ${unit(measure.unit)}`, el("span", { class: "under" }, meaning)),
      WAYS.map(([way]) => el("td", {}, cell(measure[way], { share, way }))));
  });
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    el("table", { class: "measures" },
      el("thead", {}, el("tr", {}, ["Mean, 95 % interval", ...WAYS.map(([, title]) => title)].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, rows)));
}
