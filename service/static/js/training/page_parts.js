// Parts that the pages of training share: the way back, and what stands where a thing is gone.

import { page } from "../api.js";
import { el, emptyBox } from "../dom.js";

/** The way back to the training page. */
export function trail(here) {
  return el("nav", { class: "trail", "aria-label": "Where you are" },
    el("a", { href: page("training") }, "Training"), el("span", { "aria-hidden": "true" }, "/"), el("span", { "aria-current": "page" }, here));
}

/** What stands on the page of a thing that is not there. */
export function goneBox(text) {
  return emptyBox(text, el("p", {}, el("a", { href: page("training") }, "Go to the training page")));
}
