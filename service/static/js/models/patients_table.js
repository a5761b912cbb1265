// Each patient of an evaluation: a picture of all Dice values, and a table that can be sorted by any column.

import { announce, chip, el, show } from "../dom.js";
import { words } from "../format.js";
import { amount, fixed, unit } from "./numbers.js";
import { scatter } from "./scatter.js";

function columns(result) {
  const first = result.per_patient[0], area = unit(result.area_error?.unit), distance = unit(result.hd95?.unit);
  const groups = [...new Set(result.per_patient.flatMap((row) => Object.keys(row.groups ?? {})))];
  return [
    ["Patient", (row) => row.patient, (row) => row.patient],
    ["Dice", (row) => row.dice, (row) => fixed(row.dice)],
    "dice_against" in first && [`Dice of ${result.against?.id ?? "the other"}`, (row) => row.dice_against, (row) => fixed(row.dice_against)],
    ...["iou", "precision", "recall"].map((name) => [name === "iou" ? "IoU" : words(name), (row) => row[name], (row) => fixed(row[name])]),
    [`HD95, ${distance}`, (row) => row.hd95, (row) => amount(row.hd95)],
    [`Marked, ${area}`, (row) => row.predicted_area, (row) => amount(row.predicted_area)],
    [`True, ${area}`, (row) => row.true_area, (row) => amount(row.true_area)],
    ["Slices", (row) => row.slices, (row) => String(row.slices)],
    ...groups.map((name) => [words(name), (row) => row.groups?.[name] ?? "", (row) => row.groups?.[name] ?? "–"]),
    ["Learned from", (row) => Number(row.seen), (row) => (row.seen ? chip("yes: left out", "warn") : "no")],
  ].filter((column) => column && result.per_patient.some((row) => column[1](row) !== null)).map(([name, key, write]) => ({ name, key, write }));
}

/** Numbers by size, texts by alphabet; what is not there comes last either way. */
function compare(a, b, down) {
  const missing = (value) => value === null || value === undefined;
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  return (typeof a === "string" ? a.localeCompare(b) : a - b) * (down ? -1 : 1);
}

/** The sortable table. */
export function patientsTable(result) {
  const all = columns(result), body = el("tbody", {});
  let by = all[1], down = false;
  const heads = all.map((column) => {
    const mark = el("span", { "aria-hidden": "true", class: "mark" });
    const head = el("th", { scope: "col" }, el("button", { type: "button", class: "sort", onclick: () => sort(column) }, column.name, mark));
    return { column, head, mark };
  });
  function draw() {
    for (const { column, head, mark } of heads) {
      head.toggleAttribute("aria-sort", column === by);
      if (column === by) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      mark.textContent = column !== by ? "" : down ? " ▼" : " ▲";
    }
    const rows = [...result.per_patient].sort((a, b) => compare(by.key(a), by.key(b), down));
    show(body, rows.map((row) => el("tr", {}, all.map(({ write }, index) => el(index ? "td" : "th", index ? {} : { scope: "row" }, write(row))))));
  }
  function sort(column) {
    down = column === by ? !down : false;
    by = column;
    draw();
    announce(`Sorted by ${by.name}, ${down ? "largest" : "smallest"} first.`);
  }
  draw();
  return el("div", { class: "scroll patients", tabindex: "0", role: "region", "aria-label": "Table of patients" },
    el("table", {}, el("thead", {}, el("tr", {}, heads.map(({ head }) => head))), body));
}

/** Dice of each patient from the worst to the best; rings are patients that the model learned from. */
export function patientsPlot(result) {
  const rows = result.per_patient.filter((row) => Number.isFinite(row.dice)).sort((a, b) => a.dice - b.dice);
  if (rows.length < 2) return null;
  const seen = rows.some((row) => row.seen), against = result.against?.id;
  const points = rows.flatMap((row, index) => [
    Number.isFinite(row.dice_against) && { x: index + 1, y: row.dice_against, kind: 2, hollow: row.seen, title: `${row.patient}: ${fixed(row.dice_against)} (${against})` },
    { x: index + 1, y: row.dice, kind: 1, hollow: row.seen, title: `${row.patient}: ${fixed(row.dice)}` },
  ].filter(Boolean));
  const mean = result.dice?.patient?.mean;
  return scatter({
    label: "Dice of each patient, from worst to best", x: "patients, from worst to best", y: "Dice", low: 0, high: 1, ranks: true, points,
    lines: Number.isFinite(mean) ? [{ y: mean, name: `mean ${fixed(mean)}`, dashed: true }] : [],
    legend: [
      (against || seen) && { name: result.model?.id ?? "this model", kind: 1 },
      against && { name: against, kind: 2 },
      seen && { name: "learned from, left out", kind: 1, hollow: true },
    ].filter(Boolean),
  });
}
