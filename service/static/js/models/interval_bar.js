// A mean and its 95 % interval on a scale, as a small picture; the numbers stand beside it, so it is hidden from readers.

import { svg } from "../dom.js";

const WIDTH = 200, HEIGHT = 14, EDGE = 4;

/** A bar from `low` to `high` with the interval as a band and the mean as a mark; null without a mean. */
export function intervalBar({ mean, ci95, low = 0, high = 1 }) {
  if (!Number.isFinite(mean)) return null;
  const at = (value) => EDGE + (Math.min(Math.max(value, low), high) - low) / (high - low) * (WIDTH - 2 * EDGE);
  const middle = HEIGHT / 2;
  return svg("svg", { class: "interval", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" },
    svg("line", { class: "track", x1: EDGE, x2: WIDTH - EDGE, y1: middle, y2: middle }),
    [low, (low + high) / 2, high].map((value) =>
      svg("line", { class: "track", x1: at(value), x2: at(value), y1: middle - 3, y2: middle + 3 })),
    ci95 && svg("rect", { class: "band", x: at(ci95[0]), y: middle - 4, width: Math.max(at(ci95[1]) - at(ci95[0]), 1), height: 8, rx: 2 }),
    svg("line", { class: "mean", x1: at(mean), x2: at(mean), y1: 1, y2: HEIGHT - 1 }));
}
