// /evaluations/{id}: how far it is, and what was measured.

import { announce, button, busy, el, loadingBox, need, problemBox, show } from "../dom.js";
import { api, follow, idempotencyKey, may, page, v1 } from "../api.js";
import { duration, time } from "../format.js";
import { dialog } from "../dialog.js";
import { resultSections } from "./evaluation_result.js";
import { pairs } from "./facts.js";
import { statusChip } from "./evaluation_list.js";
import { trail } from "./trail.js";

const app = need("#app"), id = app.dataset.item;
const address = v1(`evaluations/${encodeURIComponent(id)}`);
const LOOK_FOR_WORKERS_MS = 5000;

const ended = ({ status }) => status === "succeeded" || status === "failed";
const model = (name) => el("a", { href: page(`models/${encodeURIComponent(name)}`) }, name);

/** The dataset's name; evaluations outlive datasets. */
async function datasetName(evaluation) {
  if (evaluation.result?.dataset?.name) return evaluation.result.dataset.name;
  try {
    return (await api(v1(`datasets/${evaluation.dataset}`))).name;
  } catch {
    return "a deleted dataset";
  }
}

async function remove(evaluation) {
  const done = await dialog({
    title: "Delete this evaluation?",
    content: el("p", {}, ended(evaluation) ? "Its numbers and its report are deleted. Model and dataset stay." : "It is broken off; nothing of it is kept. Model and dataset stay."),
    action: "Delete the evaluation",
    kind: "danger",
    work: () => api(address, { method: "DELETE" }),
  });
  if (done) location.assign(page(`models/${encodeURIComponent(evaluation.model)}`));
}

function again(evaluation, trouble) {
  const key = idempotencyKey();
  const node = button("Measure again", () => busy(node, async () => {
    const { dataset, split, against, test_time_augmentation } = evaluation;
    const made = await api(v1(`models/${encodeURIComponent(evaluation.model)}/evaluations`),
      { method: "POST", headers: { "Idempotency-Key": key }, json: { dataset, split, against, test_time_augmentation } });
    location.assign(page(`evaluations/${made.id}`));
  }, (problem) => show(trouble, problemBox(problem))), { disabled: !may("train") });
  return node;
}

function head(evaluation, name, trouble, state) {
  const title = `${evaluation.model} on ${name}`;
  document.title = `${title} · Evaluation · Brain tumour segmentation`;
  const done = evaluation.status === "succeeded";
  return [
    trail("Evaluation"),
    el("div", { class: "title" },
      el("div", { class: "named" }, el("h1", {}, title), state.chip),
      el("div", { class: "actions" },
        done && el("a", { class: "button", href: evaluation.links.report }, "The report"),
        ended(evaluation) && again(evaluation, trouble),
        button("Delete…", () => remove(evaluation), { kind: "quiet", disabled: !may("train") }))),
    el("div", { class: "inline-facts" }, pairs([
      ["Model", model(evaluation.model)],
      ["Against", evaluation.against && model(evaluation.against)],
      ["Dataset", el("a", { href: page(`training/datasets/${evaluation.dataset}`) }, name)],
      ["Patients", evaluation.split === "test" ? "only the model's test patients" : "all of the dataset"],
      ["Asked for", time(evaluation.created_at)],
      ["Took", evaluation.finished_at && evaluation.started_at && duration((new Date(evaluation.finished_at) - new Date(evaluation.started_at)) / 1000)],
    ])),
  ];
}

/** Says so while no training worker is there that could do it. */
async function lookForWorkers(node) {
  const { workers } = await api(v1("system")).catch(() => ({ workers: null }));
  if (workers === null) return;
  const missing = !workers.some((worker) => worker.queue === "training");
  if (node.hidden !== !missing) node.hidden = !missing;
}

async function progress(first, node, state) {
  const bar = el("progress", { max: "1", value: first.progress, "aria-label": "Progress" }), text = el("p", { class: "hint" }), trouble = el("div", {});
  const nobody = el("p", { class: "notice warn", hidden: true }, "No training worker was seen in the last minute. The evaluation waits, and starts as soon as one is there. ", el("a", { href: page("system") }, "See System"), ".");
  show(node, trouble, el("section", { class: "card", "aria-label": "Progress" }, nobody, bar, text));
  let asked = 0;
  const last = await follow(address, {
    every: 1000,
    done: ended,
    onTrouble: (problem) => show(trouble, problem && problemBox(problem)),
    onChange: (now) => {
      bar.value = now.progress;
      text.textContent = now.status === "queued" ? "Waits for a training worker." : `Measuring: ${Math.round(now.progress * 100)} %.`;
      show(state.chip, statusChip(now));
      if (now.status === "queued" && Date.now() - asked > LOOK_FOR_WORKERS_MS) {
        asked = Date.now();
        lookForWorkers(nobody);
      }
      if (now.status !== "queued") nobody.hidden = true;
    },
  });
  announce(last.status === "succeeded" ? "The evaluation is done." : "The evaluation failed.");
  return last;
}

async function start() {
  show(app, el("h1", {}, "Evaluation"), loadingBox("Loading the evaluation…"));
  try {
    let evaluation = await api(address);
    const name = await datasetName(evaluation);
    const trouble = el("div", {}), body = el("div", {}), header = el("div", { class: "card" }), state = { chip: el("span", {}) };
    const draw = () => {
      show(state.chip, statusChip(evaluation));
      show(header, head(evaluation, name, trouble, state));
    };
    draw();
    show(app, header, trouble, body);
    if (!ended(evaluation)) {
      evaluation = await progress(evaluation, body, state);
      draw();
    }
    show(body, evaluation.status === "succeeded" ? resultSections(evaluation.result) : failure(evaluation));
  } catch (problem) {
    const missing = problem.status === 404;
    show(app, el("h1", {}, missing ? "There is no such evaluation" : "Evaluation"),
      problemBox(missing ? { ...problem, detail: "It was deleted, or it belongs to another key." } : problem,
        !missing && problem.status !== 403 && button("Try again", start), el("a", { class: "button second", href: page("models") }, "To all models")));
  }
}

function failure({ error }) {
  return problemBox({ title: "It failed", detail: error?.message ?? "Nobody knows why.", reference: null },
    el("span", { class: "hint" }, error?.code ?? ""));
}

start();
