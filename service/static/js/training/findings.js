// What the API found wrong or worth knowing in a dataset, as a list.

import { chip, el } from "../dom.js";

const CHIPS = {
  error: () => chip("Error", "bad"),
  warning: () => chip("Warning", "warn"),
  note: () => chip("Note"),
};
const LEVELS = Object.keys(CHIPS);

/** The findings, errors first. */
export function findings(found) {
  if (!found.length) return el("p", { class: "hint" }, "Nothing was found that you should know.");
  const sorted = [...found].sort((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
  return el("ul", { class: "findings" }, sorted.map(({ level, code, detail, files, count }) => el("li", {},
    el("p", {}, CHIPS[level](), " ", detail),
    files.length > 0 && el("details", { class: "flat" },
      el("summary", {}, files.length < count ? `${files.length} of ${count}` : `${count}`, " concerned"),
      el("ul", { class: "files" }, files.map((name) => el("li", {}, el("code", {}, name))))),
    el("p", { class: "hint" }, el("code", {}, code)))));
}
