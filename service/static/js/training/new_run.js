// The page that starts a training run: a recipe, a dataset, and whatever is to be different.

import { all, api, idempotencyKey, page, Problem, v1 } from "../api.js";
import { announce, button, el, emptyBox, loadingBox, need, problemBox, show } from "../dom.js";
import { choose, clearWrong, field, markWrong } from "../fields.js";
import { showOnce } from "./keyed_rows.js";
import { enter, trail } from "./page_parts.js";
import { recipeCard } from "./recipe_card.js";
import { runForm } from "./run_form.js";
import { runSummary } from "./run_summary.js";
import { baseOf, bodyOf, valuesOf } from "./run_values.js";
import { label } from "./specification.js";
import { lackingWeights } from "./weights.js";

const app = need("#app");
const asked = new URLSearchParams(location.search);
const TITLE = "New training run";

async function start() {
  show(app, trail(TITLE), el("h1", {}, TITLE), loadingBox());
  try {
    const [catalog, datasets, system, like] = await Promise.all([
      api(v1("catalog")), all(v1("datasets"), 300), api(v1("system")),
      asked.get("like") && api(v1(`training-runs/${encodeURIComponent(asked.get("like"))}`))]);
    draw(catalog, datasets, system.workers, like);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    show(app, trail(TITLE), el("h1", {}, TITLE), problemBox(problem, button("Try again", start)));
  }
}

function draw(catalog, datasets, workers, like) {
  const byName = (name) => catalog.recipes.find((each) => each.name === name);
  const begun = byName(like?.recipe ?? asked.get("recipe")) ?? null;
  const recipe = field(choose("recipe", [["", "none: the defaults"], ...catalog.recipes.map((each) => [each.name, each.name])], begun?.name ?? ""), "Recipe",
    "Fills the form below; what you change is sent on top of it.");
  const dataset = datasetField(datasets, like?.dataset ?? asked.get("dataset"));
  const about = el("div", { class: "recipe" }), fit = el("div", {}), trouble = el("div", {}), weights = el("div", {});
  const summary = runSummary();
  const chosen = () => datasets.find((each) => each.id === dataset.control.value);
  let key = idempotencyKey();

  const form = runForm(catalog, () => {
    key = idempotencyKey(); // another request; the same one sent again makes nothing twice
    const changed = form.changed();
    summary.update({ recipe: recipe.control.value, body: bodyOf(recipe.control.value, dataset.control.value, changed), changed, before: form.before });
    tellWeights();
  });
  const tellWeights = () => {
    const why = lackingWeights(form.values(), workers);
    // the same notice stays the same node: made anew when a field is left, it would swallow the click that left it
    showOnce(weights, why, () => why && el("div", { class: "notice warn", role: "status" }, el("p", {}, why, " Begin with random weights, or ask the operator to put them there."),
      button("Use random weights", () => {
        form.set("encoder_weights", null);
        announce("The encoder begins with random weights.");
        summary.submit.focus();
      })));
  };
  /** Keeps what was typed apart from the recipe: name and texts. */
  const begin = (own = {}) => {
    const base = baseOf(byName(recipe.control.value), chosen(), catalog);
    form.setDataset(chosen());
    form.field("name").control.placeholder = recipe.control.value;
    form.begin(base, { ...base, ...own });
    show(about, recipeCard(byName(recipe.control.value)));
    show(fit, fitting(byName(recipe.control.value), chosen()));
  };
  const typed = () => Object.fromEntries(Object.entries(form.values()).filter(([name]) => /^(name|description|card\..*)$/.test(name)));
  recipe.control.addEventListener("change", () => {
    begin(typed());
    announce(`The form is filled from ${recipe.control.value || "the defaults"}.`);
  });
  dataset.control.addEventListener("change", () => {
    const base = baseOf(byName(recipe.control.value), chosen(), catalog);
    begin({ ...form.values(), modalities: base.modalities });
  });

  const node = el("form", { id: "run-form", novalidate: true, "aria-label": TITLE },
    trouble,
    el("div", { class: "new-run" },
      el("div", {},
        el("section", { class: "card", "aria-labelledby": "begin-title" }, el("h2", { id: "begin-title" }, "Begin with"),
          el("div", { class: "columns" }, recipe, dataset, form.field("name")), about, fit),
        form.node),
      el("aside", { "aria-label": "Summary" }, weights, summary.node)));
  form.listen(node);
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(form, { recipe, dataset }, summary.submit, trouble, () => key);
  });
  show(app, trail(TITLE), el("h1", {}, TITLE), notes(datasets, workers, like, begun), node);
  begin(like ? likeThat(like, datasets, catalog) : {});
}

function datasetField(datasets, wanted) {
  const pairs = datasets.map((each) => [each.id,
    each.status === "ready" ? `${each.name} · ${each.format} · ${each.patients} patient${each.patients > 1 ? "s" : ""}` : each.name,
    each.status !== "ready" && (each.status === "validating" ? "is being validated" : "failed its validation")]);
  const ready = datasets.filter((each) => each.status === "ready");
  const first = ready.find((each) => each.id === wanted) ?? (ready.length === 1 ? ready[0] : null);
  return field(choose("dataset", [["", "choose one"], ...pairs], first?.id ?? ""), "Dataset", "Only datasets that are ready can be trained on.");
}

function notes(datasets, workers, like, begun) {
  return [
    !datasets.some((each) => each.status === "ready") && emptyBox("There is no dataset that is ready.",
      el("p", {}, el("a", { href: page("training#add-dataset") }, "Add one on the training page"), ", then come back.")),
    !workers.some((each) => each.queue === "training" || each.encoder_weights !== null) && el("div", { class: "notice warn" },
      el("p", {}, el("strong", {}, "No training worker is running. "), "A run that you start is kept, and waits until one is.")),
    like && el("p", { class: "lead" }, "Filled from ", el("a", { href: page(`training/runs/${like.id}`) }, like.name),
      like.recipe && !begun ? `; its recipe ${like.recipe} is not there any more.` : "."),
    asked.get("recipe") && !begun && !like && el("div", { class: "notice warn" }, el("p", {}, `There is no recipe ${asked.get("recipe")}.`)),
  ];
}

/** How a recipe and a dataset go together, in words. */
function fitting(recipe, dataset) {
  if (!dataset) return null;
  const warnings = dataset.findings.length;
  return el("p", { class: "hint" },
    recipe && recipe.fields.dataset_format !== dataset.format
      && `The recipe was made for ${recipe.fields.dataset_format}, this dataset is ${dataset.format}; channels follow the dataset. `,
    `${dataset.channels} channel${dataset.channels > 1 ? "s" : ""}, ${dataset.patients} patient${dataset.patients > 1 ? "s" : ""}, ${dataset.slices} slices. `,
    warnings > 0 && el("a", { href: page(`training/datasets/${dataset.id}`) }, `${warnings} finding${warnings > 1 ? "s" : ""}`));
}

/** The values of another run. What its card says of the data the API wrote itself, and will again. */
function likeThat(run, datasets, catalog) {
  const values = valuesOf(run.specification, catalog);
  const of = datasets.find((each) => each.id === run.dataset);
  if (!of || values["card.data"].startsWith(`The dataset ${of.name} of this service (`)) values["card.data"] = "";
  return values;
}

async function submit(form, { recipe, dataset }, submitButton, trouble, key) {
  show(trouble);
  form.clear();
  clearWrong([recipe, dataset]);
  submitButton.disabled = true;
  submitButton.textContent = "Starting…";
  try {
    const body = bodyOf(recipe.control.value, dataset.control.value, form.changed());
    const run = await api(v1("training-runs"), { method: "POST", json: body, headers: { "Idempotency-Key": key() } });
    location.assign(page(`training/runs/${run.id}`));
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    submitButton.disabled = false;
    submitButton.textContent = "Start training";
    showTrouble(problem, form, { recipe, dataset }, trouble);
  }
}

const AT_DATASET = ["dataset", "dataset_format"];

function showTrouble(problem, form, { recipe, dataset }, trouble) {
  const find = (place) => (place === "recipe" ? recipe : AT_DATASET.includes(place) ? dataset : form.find(place));
  const rest = markWrong(problem.errors, find);
  const count = Object.keys(problem.errors).length;
  const later = problem.retryAfter ? ` Nothing was accepted. Try again in about ${problem.retryAfter} s; the form stays as it is.` : "";
  const detail = count ? "Nothing was started. Each field says what it needs." : problem.detail + later;
  const box = problemBox({ ...problem, detail, errors: Object.fromEntries(rest) });
  if (count > rest.length) {
    const inOrder = Object.keys(problem.errors).filter(find)
      .sort((one, other) => (find(one).compareDocumentPosition(find(other)) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
    box.firstChild.after(el("ul", {}, inOrder.map((place) => el("li", {},
      button(label(place), () => find(place).control.focus(), { kind: "link" }), `: ${problem.errors[place].join(" ")}`))));
  }
  show(trouble, box);
  if (count > rest.length) return; // the first wrong field has the focus
  box.tabIndex = -1;
  box.focus();
}

enter(TITLE, start);
