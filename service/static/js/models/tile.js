// A model among others: what it is, how good it is, what it may be used for.

import { chip, el } from "../dom.js";
import { page } from "../api.js";
import { bytes, time } from "../format.js";
import { pairs } from "./facts.js";
import { headlineBlock } from "./headline.js";

const network = (card) => [card.architecture, card.encoder].filter(Boolean).join(" · ");

const named = (names, many) => (names?.length ? names.join(", ") : many);

/** The names that point to the model, as chips; one that does not answer with it yet says so. */
export function aliasChips(id, aliases) {
  return aliases.filter((alias) => alias.model === id || alias.serving === id).map((alias) => {
    if (alias.ready) return chip(alias.alias, "ok");
    return alias.model === id ? chip(`${alias.alias}: warming up`, "busy") : chip(`${alias.alias}: answers until then`, "warn");
  });
}

/** The model's tile; its heading is the link to its page. */
export function modelTile(card, aliases) {
  const chips = aliasChips(card.id, aliases);
  return el("article", { class: "card model-tile" },
    el("div", { class: "title" },
      el("h3", {}, el("a", { href: page(`models/${encodeURIComponent(card.id)}`) }, card.id)),
      el("span", { class: "chips" }, chips)),
    card.description && el("p", { class: "description" }, card.description),
    headlineBlock(card),
    pairs([
      ["Name", card.name !== card.id && card.name],
      ["Version", card.version],
      ["Network", network(card)],
      ["Channels", named(card.channels, String(card.in_channels ?? "–"))],
      ["Labels", named(card.labels?.map((label) => label.name), null)],
      ["Size", card.weights?.bytes && bytes(card.weights.bytes)],
      ["Here since", time(card.created_at)],
      ["Licence", typeof card.licence === "string" ? card.licence : null],
    ]));
}
