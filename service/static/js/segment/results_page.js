// All results with thumbnails, newest first, page by page.

import { api, page, v1 } from "../api.js";
import { announce, button, el, emptyBox, loadingBox, need, problemBox, swap } from "../dom.js";
import { cards } from "./recent.js";

const place = need("#results"), heading = need("#results-title"), EACH = 24;

async function load(cursor = "") {
  const before = [...place.querySelectorAll("ul")];
  if (!before.length) swap(place, heading, loadingBox());
  try {
    const found = await api(`${v1("segmentations")}?limit=${EACH}&mask_format=none${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    if (!before.length && !found.items.length) {
      swap(place, heading, emptyBox("Nothing here yet.", el("a", { class: "button", href: page("") }, "Segment an image")));
      return;
    }
    const more = cards(found.items, { heading, onDeleted: () => place.querySelector(".result-card") || again() });
    swap(place, heading, ...before, more, found.next && button("Older results", () => load(found.next)));
    if (before.length) more.querySelector("a")?.focus(); // the button that asked for them is gone
  } catch (error) {
    swap(place, heading, ...before, problemBox(error, button("Try again", () => load(cursor))));
  }
}

function again() {
  place.replaceChildren();
  load();
}

load();
if (location.hash === "#deleted") {
  history.replaceState(null, "", location.pathname);
  heading.focus();
  announce("Deleted");
}
