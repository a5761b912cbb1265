// Brings a table up to date row by row: rows stay the same nodes, so focus and ticks survive.

/** Makes a function that brings `body` to a list of items with an `id`; `make(item)` gives {row, update(item)}. */
export function keyedRows(body, make) {
  const known = new Map();
  return (items) => {
    const wanted = new Set(items.map((item) => item.id));
    for (const [id, { row }] of known) {
      if (wanted.has(id)) continue;
      row.remove();
      known.delete(id);
    }
    items.forEach((item, place) => {
      if (!known.has(item.id)) known.set(item.id, make(item));
      const { row, update } = known.get(item.id);
      update(item);
      // moving a node would take the focus from it
      if (body.children[place] !== row) body.insertBefore(row, body.children[place] ?? null);
    });
  };
}

/** Shows `text` in `node`, which is left alone where it shows that already. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows what `make()` gives, unless `key` is the same as the last time. */
export function showOnce(node, key, make) {
  if (node.shownKey === key) return;
  node.shownKey = key;
  node.replaceChildren(...[make()].flat(Infinity).filter(Boolean));
}
