// Where the specifications of training runs differ, and, folded, where they do not.

import { el } from "../dom.js";
import { flat, label } from "./specification.js";

/** The two tables as a <section>; `head` heads the columns of the runs, `datasets` is id -> name. */
export function comparedFields(runs, head, datasets) {
  const each = runs.map((run) => new Map(flat({ recipe: run.recipe, ...run.specification, dataset: datasets.get(run.dataset) ?? run.dataset })));
  const places = [...new Set(each.flatMap((values) => [...values.keys()]))].filter((place) => place !== "name");
  const differ = places.filter((place) => new Set(each.map((values) => values.get(place))).size > 1);
  const alike = places.filter((place) => !differ.includes(place));
  return el("section", { class: "card", "aria-labelledby": "fields-title" },
    el("h2", { id: "fields-title" }, "What differs"),
    differ.length ? grid("Table of what differs", head, differ, each) : el("p", { class: "hint" }, "Nothing: the specifications are the same."),
    runs.length > 1 && el("details", {}, el("summary", {}, `What is the same (${alike.length} fields)`),
      el("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "Table of what is the same" },
        el("table", { class: "compared" }, el("tbody", {}, alike.map((place) => row(place, [each[0]])))))));
}

function grid(name, head, places, each) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name },
    el("table", { class: "compared" }, head, el("tbody", {}, places.map((place) => row(place, each)))));
}

function row(place, each) {
  return el("tr", {}, el("th", { scope: "row" }, label(place)), each.map((values) => el("td", { class: "wrap" }, values.get(place) ?? "not set")));
}
