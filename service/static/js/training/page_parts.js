// Parts that the pages of training share: who may enter, the way back, and what stands where a thing is gone.

import { may, page } from "../api.js";
import { el, emptyBox, need, show } from "../dom.js";

/** Begins a page, unless the key may see nothing of training: then that is all that there is to say. */
export function enter(title, start) {
  if (may("train")) {
    start();
    return;
  }
  show(need("#app"), el("h1", {}, title), el("div", { class: "notice info" },
    el("p", {}, el("strong", {}, "Your key lacks the scope train. "),
      "Datasets and training runs need a key with it: ask the operator of this service for one, then sign out and in again.")));
}

/** The way back to the training page. */
export function trail(here) {
  return el("nav", { class: "trail", "aria-label": "Where you are" },
    el("a", { href: page("training") }, "Training"), el("span", { "aria-hidden": "true" }, "/"), el("span", { "aria-current": "page" }, here));
}

/** What stands on the page of a thing that is not there. */
export function goneBox(text) {
  return emptyBox(text, el("p", {}, el("a", { href: page("training") }, "Go to the training page")));
}
