// /models/{id}: everything that a model's card says, and what can be done with the model.

import { announce, button, el, emptyBox, loadingBox, need, problemBox, show } from "../dom.js";
import { all, api, may, page, v1 } from "../api.js";
import { bytes, time } from "../format.js";
import { dialog } from "../dialog.js";
import { accuracy } from "./accuracy.js";
import { inWords, watchAliases } from "./alias_state.js";
import { datasets } from "./datasets.js";
import { evaluateForm } from "./evaluate_form.js";
import { showEvaluations } from "./evaluation_list.js";
import { headlineBlock } from "./headline.js";
import { network, others, purpose, training } from "./origin.js";
import { promote } from "./promote.js";
import { aliasChips } from "./tile.js";
import { trail } from "./trail.js";

const app = need("#app"), id = app.dataset.item;
const address = v1(`models/${encodeURIComponent(id)}`);
const back = () => el("a", { class: "button second", href: page("models") }, "To all models");

const section = (anchor, title, ...content) =>
  el("section", { class: "card", "aria-labelledby": anchor }, el("h2", { id: anchor }, title), content);

/** The picture of the training, fetched when it is asked for: not every model came with one, and the card does not say. */
function curves(card) {
  if (!card.links?.curves) return null;
  const body = el("div", {}, loadingBox());
  const load = () => {
    const picture = el("img", { src: card.links.curves, alt: "Losses and Dice by epoch of the training", class: "curves-picture" });
    picture.addEventListener("load", () => show(body, picture));
    picture.addEventListener("error", () => show(body, el("p", { class: "hint" }, "This model came without a picture of its training.")));
  };
  const details = el("details", {}, el("summary", {}, "Curves: losses and Dice by epoch"), body);
  details.addEventListener("toggle", load, { once: true });
  return details;
}

async function remove(card) {
  const done = await dialog({
    title: `Delete the model ${card.id}?`,
    content: el("p", {}, "Its card and weights are deleted. Slices that wait for it end as failed. What was measured stays. Download the archive first if you may want it back."),
    action: "Delete the model",
    kind: "danger",
    work: () => api(address, { method: "DELETE" }),
  });
  if (done) location.assign(page("models"));
}

function head(card, change) {
  const forbidden = !may("admin");
  const reason = forbidden ? { disabled: true, "aria-describedby": "needs-admin" } : {};
  const chips = el("span", { class: "chips" }), state = el("div", {});
  let aliases = [];
  const refresh = watchAliases((now) => {
    aliases = now;
    const mine = now.filter((alias) => alias.model === id || alias.serving === id);
    show(chips, aliasChips(id, now));
    const warming = mine.filter((alias) => !alias.ready);
    show(state, warming.map((alias) => el("p", { class: "notice info" }, el("strong", {}, `${alias.alias}: `), inWords(alias))));
    if (warming.length) announce(warming.map(inWords).join(" "));
  });
  return [
    trail("Model"),
    el("div", { class: "title" },
      el("div", { class: "named" }, el("h1", { tabindex: "-1" }, card.id), chips),
      el("div", { class: "actions" },
        button("Promote…", async () => (await promote({ models: await change.models(), aliases, alias: "default", model: id })) && refresh(), { kind: "", ...reason }),
        may("train") && el("a", { class: "button second", href: `${card.links.archive}`, download: `${id}.zip` }, `Download the archive (${bytes(card.weights?.bytes ?? 0)})`),
        button("Delete…", () => remove(card), { kind: "quiet", ...reason }))),
    forbidden && el("p", { class: "notice info", id: "needs-admin" }, "This key may look but not change: promotion and deletion need the scope admin."),
    state,
    el("p", { class: "lead" }, card.description,
      el("span", { class: "under" }, [card.name !== card.id && `Name: ${card.name}`, card.version && `version ${card.version}`, `here since ${time(card.created_at)}`].filter(Boolean).join(" · "))),
  ];
}

async function measuring(node, card, models) {
  if (!may("train")) return show(node, emptyBox("Evaluations need a key with the scope train."));
  const found = await datasets(), ready = found.filter((dataset) => dataset.status === "ready");
  const list = el("div", { id: "evaluations" });
  show(node,
    ready.length ? evaluateForm(card, await models(), ready)
      : emptyBox("No dataset is ready to be measured on.", el("p", {}, el("a", { href: page("training") }, "Bring one in under Training"), ".")),
    el("h3", {}, "Evaluations of this model"), list);
  return showEvaluations(list, v1(`models/${encodeURIComponent(id)}/evaluations`), new Map(found.map((each) => [each.id, each.name])), "None yet.");
}

async function start() {
  show(app, el("h1", {}, id), loadingBox("Loading the card…"));
  let card;
  try {
    card = await api(address);
  } catch (problem) {
    return show(app, el("h1", {}, problem.status === 404 ? "There is no such model" : id),
      problemBox(problem, problem.status !== 404 && button("Try again", start), back()));
  }
  document.title = `${card.id} · Models · Brain tumour segmentation`;
  let known = null;
  const models = async () => (known ??= await all(v1("models")).catch(() => [card]));
  const measured = el("div", {}), more = others(card);
  show(app, head(card, { models }),
    el("div", { class: "halves" },
      el("div", {},
        section("h-good", "How good it is", headlineBlock(card), accuracy(card)),
        section("h-training", "How it was trained", training(card), curves(card))),
      el("div", {},
        section("h-use", "What it is for", purpose(card)),
        section("h-network", "Network", network(card)))),
    more && section("h-more", "More on its card", more),
    section("h-measure", "Evaluate it", measured),
    el("details", { class: "card" }, el("summary", {}, "The card as JSON"), el("pre", { tabindex: "0" }, JSON.stringify(card, null, 2))));
  return measuring(measured, card, models);
}

start();
