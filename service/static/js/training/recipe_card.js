// What a recipe is, and what the project that it follows reported of itself.

import { chip, el } from "../dom.js";

/** The description of a recipe (an entry of the catalog), or of beginning without one. */
export function recipeCard(recipe) {
  if (!recipe) return el("p", { class: "hint" }, "Without a recipe every field begins with its default.");
  const { fields } = recipe;
  const short = [fields.architecture, fields.encoder, fields.loss, fields.optimizer, `${fields.image_size} px`, `${fields.epochs} epochs`, `for ${fields.dataset_format}`];
  return [
    el("p", {}, recipe.description, "."),
    el("p", { class: "chips" }, short.filter(Boolean).map((text) => chip(text))),
    recipe.reported.map(reported),
  ];
}

function reported({ project, source, reported: numbers, on, why_not_comparable: why }) {
  const [address, ...rest] = source.split(" ");
  return el("details", { class: "flat" }, el("summary", {}, "What the earlier project reported"),
    el("dl", { class: "reported" },
      [["Project", project], ["Reported", numbers], ["On", on], ["Beside ours?", why],
        ["Source", /^https?:/.test(address) ? [el("a", { href: address, rel: "noreferrer" }, address), ` ${rest.join(" ")}`] : source]]
        .map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])));
}
