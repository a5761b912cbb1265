// The table of datasets on the training page.

import { page } from "../api.js";
import { button, el } from "../dom.js";
import { ago, number, percent, time } from "../format.js";
import { keyedRows, say, showOnce } from "./keyed_rows.js";
import { deleteDataset } from "./remove.js";
import { datasetChip } from "./states.js";

const HEAD = ["Dataset", "Status", "Patients", "Slices", "Tumour share", "Findings", "Added", ""];

/** The table: {node, update(datasets)}; `onRemoved()` is called when one was deleted. */
export function datasetsList(onRemoved) {
  const body = el("tbody", { role: "rowgroup" });
  const node = el("table", { class: "stack", role: "table", "aria-label": "Datasets" },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, HEAD.map((name) =>
      el("th", { scope: "col", role: "columnheader", class: NUMBERS.includes(name) ? "num" : null },
        name || el("span", { class: "unseen" }, "Actions"))))),
    body);
  return { node, update: keyedRows(body, (item) => makeRow(item, onRemoved)) };
}

const NUMBERS = ["Patients", "Slices", "Tumour share"];

function makeRow(first, onRemoved) {
  let item = first;
  const cell = (label, attributes = {}) => el("td", { role: "cell", "data-label": label, ...attributes });
  const name = el("th", { scope: "row", role: "rowheader", class: "wrap" });
  const status = cell("Status"), findings = cell("Findings"), added = cell("Added");
  const [patients, slices, share] = NUMBERS.map((label) => cell(label, { class: "num" }));
  const remove = button("Delete", async () => {
    if (await deleteDataset(item)) onRemoved();
  }, { kind: "quiet small" });
  const row = el("tr", { role: "row" }, name, status, patients, slices, share, findings, added, cell("", { class: "end" }));
  row.lastChild.append(remove);
  const update = (dataset) => {
    item = dataset;
    showOnce(name, `${dataset.name} ${dataset.format}`, () => [
      el("a", { href: page(`training/datasets/${dataset.id}`) }, dataset.name),
      el("div", { class: "hint" }, dataset.folder ? `${dataset.format} · mounted folder ${dataset.folder}` : dataset.format)]);
    remove.setAttribute("aria-label", `Delete ${dataset.name}`);
    showOnce(status, dataset.status, () => datasetChip(dataset.status));
    say(patients, number(dataset.patients, 0));
    say(slices, number(dataset.slices, 0));
    say(share, percent(dataset.tumour_share, 2));
    say(findings, counted(dataset));
    say(added, ago(dataset.created_at));
    added.title = time(dataset.created_at);
  };
  return { row, update };
}

/** "2 errors, 1 warning"; of a dataset that is being looked through nothing is known yet. */
function counted({ status, findings }) {
  if (status === "validating") return "…";
  const of = (level) => findings.filter((each) => each.level === level).length;
  const said = [[of("error"), "error"], [of("warning"), "warning"]].filter(([count]) => count > 0)
    .map(([count, word]) => `${count} ${word}${count > 1 ? "s" : ""}`);
  return said.join(", ") || "none";
}
