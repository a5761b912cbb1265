// Everything that was decided for a training run, as a table.

import { el } from "../dom.js";
import { words } from "../format.js";

/** A specification without nesting: ["augmentations.degrees", 15]; lists become text. */
export function flat(specification) {
  return Object.entries(specification).flatMap(([name, value]) => {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) {
      return Object.entries(value).map(([member, inner]) => [`${name}.${member}`, said(inner)]);
    }
    return [[name, said(value)]];
  });
}

/** A value as it is written down; what is empty is said in words. */
export function said(value) {
  if (value === null || value === undefined) return "none";
  if (Array.isArray(value)) return value.join(", ") || "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value) || "none";
}

/** The name of a field as a reader wants it: "augmentations.degrees" -> "Augmentations: degrees". */
export function label(place) {
  const [first, ...rest] = place.split(".");
  return [words(first), ...rest.map((each) => each.replaceAll("_", " "))].join(": ");
}

/** The table as a <section>, folded; `preset` are the fields of the recipe that the run began with, or null. */
export function specificationTable(run, preset) {
  const began = new Map(preset ? flat(preset) : []);
  const own = ["dataset", "name", "description", "dataset_format", "in_channels"];
  const rows = flat(run.specification).map(([place, value]) => {
    const was = began.get(place);
    const changed = preset && !own.includes(place) && !place.startsWith("card.") && was !== value;
    return el("tr", { class: changed ? "changed" : null },
      el("th", { scope: "row" }, label(place)), el("td", { class: "wrap" }, value),
      el("td", { class: "wrap" }, changed && `recipe: ${was ?? "not set"}`));
  });
  const text = JSON.stringify(run.specification, null, 2);
  return el("section", { class: "card", "aria-labelledby": "specification-title" },
    el("h2", { id: "specification-title" }, "Specification"),
    el("p", { class: "hint" }, "Everything that was decided. Sent to the API again as it is, it starts the same run once more."),
    el("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "Table of the specification" },
      el("table", { class: "specification" },
        el("thead", {}, el("tr", {}, ["Field", "Value", run.recipe ? `Differs from ${run.recipe}` : "Differs"].map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, rows))),
    el("details", { class: "flat" }, el("summary", {}, "As JSON"), el("pre", { tabindex: "0", role: "region", "aria-label": "Specification as JSON" }, text)));
}
