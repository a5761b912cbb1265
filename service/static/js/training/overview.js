// The training page: datasets, the queue and the history of training runs, kept up to date.

import { api, page, v1 } from "../api.js";
import { announce, button, el, emptyBox, loadingBox, need, problemBox, show } from "../dom.js";
import { namesOf } from "./dataset_names.js";
import { datasetForm } from "./dataset_form.js";
import { datasetsList } from "./datasets_list.js";
import { keepFresh } from "./keep_fresh.js";
import { showOnce } from "./keyed_rows.js";
import { listing } from "./listing.js";
import { enter } from "./page_parts.js";
import { runsList } from "./runs_list.js";
import { ended } from "./states.js";

const MOST_COMPARED = 6;
const app = need("#app");
const trouble = el("div", {});
const heading = el("h1", { tabindex: "-1" }, "Training");
const workers = el("div", {});

const compare = button("Compare", () => location.assign(page(`training/compare?runs=${chosen.join(",")}`)), { id: "compare", disabled: true });
const compareHint = el("span", { class: "hint", id: "compare-hint" });
compare.setAttribute("aria-describedby", "compare-hint");
let chosen = [];

const datasets = listing(v1("datasets"));
const runs = listing(v1("training-runs"));
const datasetRows = datasetsList(() => {
  heading.focus();
  refresh();
});
const runRows = runsList((ids) => {
  chosen = ids;
  const fits = ids.length >= 2 && ids.length <= MOST_COMPARED;
  compare.disabled = !fits;
  compare.textContent = fits ? `Compare ${ids.length} runs` : "Compare";
  compareHint.textContent = ids.length > MOST_COMPARED ? `At most ${MOST_COMPARED} at a time.` : fits ? "" : "Tick two to six runs.";
});

const datasetBox = el("div", {}, loadingBox("Loading datasets…"));
const runBox = el("div", {}, loadingBox("Loading training runs…"));
const compareBar = el("div", { class: "actions", hidden: true }, compareHint, compare);
const adding = el("details", { id: "add-dataset" }, el("summary", { class: "button second" }, "Add a dataset"));

adding.addEventListener("toggle", fillForm);

/** The form needs the catalog, which is fetched when somebody wants to see it. */
async function fillForm() {
  if (!adding.open || adding.querySelector("form")) return;
  const box = el("div", {}, loadingBox());
  adding.append(box);
  try {
    const { dataset_formats: formats } = await api(v1("catalog"));
    show(box, datasetForm(formats, (dataset) => {
      announce(`${dataset.name} was accepted and is being validated.`);
      adding.open = false;
      need("summary", adding).focus();
      refresh();
    }));
  } catch (problem) {
    show(box, problemBox(problem, button("Try again", () => {
      box.remove();
      fillForm();
    })));
  }
}

function fill(box, list, items, empty) {
  const wanted = items.length ? list : empty;
  if (box.firstChild !== wanted || box.childNodes.length > 1) show(box, wanted);
}

const noRuns = emptyBox("No training runs yet.",
  el("p", {}, "Add a dataset, then ", el("a", { href: page("training/new") }, "start a training run"), "."));
const noDatasets = emptyBox("No datasets yet.",
  button("Add a dataset", () => {
    adding.open = true;
    need("summary", adding).focus();
  }));

let was = new Map();

/** Tells what ended since the last time, for those who do not see it. */
function tell(runsNow, datasetsNow) {
  const now = new Map([...runsNow, ...datasetsNow].map((each) => [each.id, each.status]));
  const changed = [...runsNow, ...datasetsNow].filter((each) => was.has(each.id) && was.get(each.id) !== each.status);
  if (changed.length) announce(changed.map((each) => `${each.name}: ${each.status}`).join(", "));
  was = now;
}

function showWorkers({ workers: seen }) {
  const some = seen.some((each) => each.queue === "training");
  if (some === (workers.childNodes.length === 0)) return;
  show(workers, !some && el("div", { class: "notice warn" }, el("p", {}, el("strong", {}, "No training worker is running. "),
    "What you add or start is kept, and waits until one is. ", el("a", { href: page("system") }, "See the system page"), ".")));
}

async function load() {
  try {
    const [datasetsNow, runsNow, system] = await Promise.all([datasets.load(), runs.load(), api(v1("system"))]);
    showOnce(trouble, null, () => null);
    datasetRows.update(datasetsNow);
    runRows.update(runsNow, await namesOf(runsNow.map((run) => run.dataset), datasetsNow));
    fill(datasetBox, datasetRows.node, datasetsNow, noDatasets);
    fill(runBox, runRows.node, runsNow, noRuns);
    compareBar.hidden = runsNow.length < 2;
    showWorkers(system);
    tell(runsNow, datasetsNow);
    return runsNow.some((run) => !ended(run)) || datasetsNow.some((each) => each.status === "validating");
  } catch (problem) {
    showOnce(trouble, `${problem.code} ${problem.detail}`, () => problemBox(problem, button("Try again", () => refresh())));
    return false;
  }
}

function start() {
  show(app,
    el("div", { class: "title" }, heading,
      el("a", { class: "button", href: page("training/new") }, "New training run")),
    el("p", { class: "lead" }, "A training run learns from a dataset and ends with a model. Add a dataset, choose a recipe, follow the curves."),
    trouble, workers,
    el("section", { class: "card", "aria-labelledby": "runs-title" },
      el("div", { class: "title" }, el("h2", { id: "runs-title" }, "Training runs"), compareBar), runBox, runs.more(() => refresh())),
    el("section", { class: "card", id: "datasets", "aria-labelledby": "datasets-title" },
      el("div", { class: "title" }, el("h2", { id: "datasets-title" }, "Datasets")), adding, datasetBox, datasets.more(() => refresh())));
  refresh = keepFresh(load);
  if (location.hash === `#${adding.id}`) {
    adding.open = true;
    need("summary", adding).focus();
  }
}

let refresh = null;
enter("Training", start);
