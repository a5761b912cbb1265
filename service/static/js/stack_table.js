// A table whose rows become cards where the window is narrow (.stack in work.css), so that nothing hides at the side.

import { el } from "./dom.js";

/** `rows` are lists of cells, the first one heads its row. The roles keep it a table for screen readers when CSS makes it blocks. */
export function stackTable(label, head, rows) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    el("table", { class: "stack two", role: "table" },
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, head.map((name) => el("th", { scope: "col", role: "columnheader" }, name)))),
      el("tbody", { role: "rowgroup" }, rows.map(([first, ...cells]) =>
        el("tr", { role: "row" }, el("th", { scope: "row", role: "rowheader", class: "wrap" }, first),
          cells.map((cell, index) => el("td", { role: "cell", "data-label": head[index + 1] }, cell)))))));
}
