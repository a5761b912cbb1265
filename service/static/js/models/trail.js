// The way back to all models.

import { el } from "../dom.js";
import { page } from "../api.js";

/** Where this page is among the others. */
export function trail(here) {
  return el("nav", { class: "trail", "aria-label": "Where you are" },
    el("a", { href: page("models") }, "Models"), el("span", { "aria-hidden": "true" }, "/"), el("span", { "aria-current": "page" }, here));
}
