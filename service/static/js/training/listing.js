// A list of the API of which the newest are shown, and more on request.

import { api } from "../api.js";
import { button } from "../dom.js";

const STEP = 20, PAGE = 100;

/** The list at `address`: `load()` gives its newest items, `more(onMore)` a button that makes them more, hidden when all are there. */
export function listing(address) {
  let wanted = STEP;
  const buttons = [];
  return {
    async load() {
      const items = [];
      let cursor = "";
      do {
        const limit = Math.min(PAGE, wanted - items.length);
        const found = await api(`${address}?limit=${limit}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
        items.push(...found.items);
        cursor = found.next ?? "";
      } while (cursor && items.length < wanted);
      for (const each of buttons) each.hidden = !cursor;
      return items;
    },
    more(onMore) {
      const node = button("Show more", () => {
        wanted += STEP;
        onMore();
      }, { hidden: true });
      buttons.push(node);
      return node;
    },
  };
}
