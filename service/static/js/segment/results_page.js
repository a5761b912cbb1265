// All results with thumbnails, newest first, page by page.

import { api, v1 } from "../api.js";
import { button, emptyBox, el, loadingBox, need, problemBox, show } from "../dom.js";
import { page } from "../api.js";
import { cards } from "./recent.js";

const place = need("#results"), EACH = 24;

async function load(cursor = "") {
  const before = [...place.querySelectorAll("ul")];
  if (!before.length) show(place, loadingBox());
  try {
    const found = await api(`${v1("segmentations")}?limit=${EACH}&mask_format=none${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    if (!before.length && !found.items.length) {
      show(place, emptyBox("Nothing here yet.", el("a", { class: "button", href: page("") }, "Segment an image")));
      return;
    }
    show(place, before, cards(found.items, () => { place.replaceChildren(); load(); }),
      found.next && button("Older results", () => load(found.next)));
  } catch (error) {
    show(place, problemBox(error, button("Try again", () => load(cursor))));
  }
}

load();
