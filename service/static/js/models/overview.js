// /models: which models there are, which one answers for which name, how good they are; import and promotion.

import { announce, button, el, emptyBox, loadingBox, need, problemBox, show } from "../dom.js";
import { all, may, v1 } from "../api.js";
import { watchAliases } from "./alias_state.js";
import { aliasTable } from "./alias_table.js";
import { datasetNames } from "./datasets.js";
import { showEvaluations } from "./evaluation_list.js";
import { importForm } from "./import_form.js";
import { promote } from "./promote.js";
import { modelTile } from "./tile.js";

const FILTER_FROM = 6; // models from which there is something to search in

const parts = {
  aliases: el("div", {}, loadingBox()),
  trouble: el("div", {}),
  models: el("div", { id: "models" }, loadingBox("Loading models…")),
  evaluations: el("div", { id: "evaluations" }),
};
let models = [], aliases = [], refreshAliases = () => {};

const filter = el("input", { type: "search", id: "filter", placeholder: "Name, network, channel, licence" });
filter.addEventListener("input", drawModels);

function drawAliases() {
  const focused = parts.aliases.contains(document.activeElement) ? document.activeElement.id : null;
  show(parts.aliases, aliasTable(aliases, models, () => refreshAliases()));
  // the same button again; where its alias is gone, the one that stays
  if (focused !== null) (document.getElementById(focused) ?? need("#promote")).focus();
}

function drawModels() {
  const wanted = filter.value.trim().toLowerCase();
  const found = models.filter((card) => !wanted || JSON.stringify([card.id, card.name, card.description, card.architecture, card.encoder, card.channels, card.licence]).toLowerCase().includes(wanted));
  show(parts.models,
    found.length ? el("div", { class: "model-tiles" }, found.map((card) => modelTile(card, aliases)))
      : emptyBox(models.length ? "No model matches." : "There is no model yet. Import one below, or train one."));
}

async function loadModels() {
  try {
    models = await all(v1("models"));
  } catch (problem) {
    return show(parts.models, problemBox(problem, button("Try again", loadModels)));
  }
  need("#filter-field").hidden = models.length < FILTER_FROM;
  drawModels();
  if (aliases.length) drawAliases();
  return undefined;
}

async function start() {
  const admin = may("admin");
  const reason = admin ? {} : { disabled: true, "aria-describedby": "needs-admin" };
  show(need("#app"),
    el("h1", {}, "Models"),
    el("p", { class: "lead" }, "A model is its weights and a card that says what it is for and how good it is. Clients ask for an alias; which model answers for it is decided here, without a restart."),
    !admin && el("p", { class: "notice info", id: "needs-admin" }, "This key may look but not change: promotion, roll back, deletion and import need the scope admin."),
    el("section", { class: "card", "aria-labelledby": "h-aliases" },
      el("div", { class: "title" }, el("h2", { id: "h-aliases" }, "Which model answers"),
        button("Promote a model…", async () => (await promote({ models, aliases })) && refreshAliases(), { id: "promote", ...reason })),
      parts.trouble, parts.aliases),
    el("section", { "aria-labelledby": "h-models" },
      el("div", { class: "title" }, el("h2", { id: "h-models" }, "All models"),
        el("div", { class: "search", id: "filter-field", hidden: true }, el("label", { for: "filter" }, "Search"), filter)),
      parts.models),
    el("section", { class: "card", "aria-labelledby": "h-evaluations" },
      el("h2", { id: "h-evaluations" }, "Evaluations"), parts.evaluations),
    el("section", { class: "card narrow", "aria-labelledby": "h-import" },
      el("h2", { id: "h-import" }, "Import a model"), importForm({ isKnown: (id) => models.some((card) => card.id === id), imported: loadModels })));

  loadModels();
  showEvaluations(parts.evaluations, v1("evaluations"), await datasetNames(),
    "Nothing was evaluated yet. Open a model and evaluate it on a dataset of yours.");
}

start();
refreshAliases = watchAliases((now) => {
  for (const alias of now) {
    const was = aliases.find((each) => each.alias === alias.alias);
    if (was && !was.ready && alias.ready) announce(`${alias.alias}: ${alias.model} answers now.`);
  }
  aliases = now;
  drawAliases();
  if (models.length) drawModels();
}, (problem) => show(parts.trouble, problem && problemBox(problem)));
