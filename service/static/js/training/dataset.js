// The page of a dataset: what was found in it, its slices, and what to do with it.

import { follow, page, Problem, v1 } from "../api.js";
import { announce, button, chip, el, loadingBox, need, problemBox, show } from "../dom.js";
import { facts } from "./facts.js";
import { findings } from "./findings.js";
import { enter, goneBox, trail } from "./page_parts.js";
import { preview } from "./preview.js";
import { deleteDataset } from "./remove.js";
import { datasetChip } from "./states.js";

const app = need("#app");
const address = v1(`datasets/${encodeURIComponent(app.dataset.item)}`);

function actions(dataset) {
  const why = dataset.status === "ready" ? null : "Only a dataset that is ready can be trained on.";
  return el("div", { class: "actions" },
    dataset.status === "ready" && el("a", { class: "button", href: page(`training/new?dataset=${dataset.id}`) }, "Train on it"),
    why && el("span", { class: "hint" }, why),
    button("Delete", async () => {
      if (await deleteDataset(dataset)) location.assign(page("training"));
    }, { kind: "quiet" }));
}

function failure({ error }) {
  return el("div", { class: "notice bad" },
    el("p", {}, el("strong", {}, "This dataset cannot be used. "), error.message),
    el("p", { class: "hint" }, el("code", {}, error.code), ". Mend the files and add the dataset again; what was found is listed below."));
}

function body(dataset) {
  if (dataset.status === "validating") {
    return [el("section", { class: "card" }, loadingBox("A worker is looking through the files. This page shows what it finds as soon as it is done."), facts(dataset))];
  }
  const about = el("section", { class: "card", "aria-labelledby": "facts-title" }, el("h2", { id: "facts-title" }, "What is in it"), facts(dataset));
  const found = el("section", { class: "card", "aria-labelledby": "findings-title" },
    el("div", { class: "title" }, el("h2", { id: "findings-title" }, "Findings"), chip(String(dataset.findings.length))), findings(dataset.findings));
  if (dataset.channels > 3) return [el("div", { class: "dataset wide" }, preview(dataset)), el("div", { class: "halves" }, about, found)]; // pictures side by side need room
  return [
    dataset.error && failure(dataset),
    el("div", { class: "dataset" },
      el("div", {}, dataset.status === "ready" && preview(dataset), dataset.status !== "ready" && found),
      el("div", {}, about, dataset.status === "ready" && found)),
  ];
}

function draw(dataset) {
  document.title = `${dataset.name} · Dataset · Brain tumour segmentation`;
  show(app, trail("Dataset"),
    el("div", { class: "title" }, el("h1", {}, dataset.name, " ", datasetChip(dataset.status)), actions(dataset)),
    trouble, body(dataset));
}

const trouble = el("div", {});

async function start() {
  show(app, el("h1", {}, "Dataset"), loadingBox());
  try {
    let status = null;
    const settle = (dataset) => {
      if (status !== null && status !== dataset.status) announce(`${dataset.name} is ${dataset.status}.`);
      if (status !== dataset.status) draw(dataset);
      status = dataset.status;
    };
    await follow(address, {
      every: 1500,
      done: (dataset) => dataset.status !== "validating",
      onChange: settle,
      onTrouble: (problem) => show(trouble, problem && problemBox(problem)),
    });
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    show(app, trail("Dataset"), el("h1", {}, "Dataset"),
      problem.status === 404 ? goneBox("There is no such dataset. It was deleted, or it is another owner's.") : problemBox(problem, button("Try again", start)));
  }
}

enter("Dataset", start);
