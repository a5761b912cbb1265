// Points on two axes as SVG, with lines across; a table with the same numbers stands beside each, so it is one picture.

import { el, svg } from "../dom.js";
import { ticks } from "../chart.js";
import { amount } from "./numbers.js";

const WIDTH = 460, HEIGHT = 230;
const BOX = { left: 68, right: 14, top: 14, bottom: 42 };

function bounds(values, low, high) {
  const from = low ?? Math.min(...values), to = high ?? Math.max(...values);
  const air = (to - from || Math.abs(to) || 1) * 0.06;
  return [low ?? from - air, high ?? to + air];
}

/**
 * A figure of `points` [{x, y, title, kind}] (kind: a number from 1 for the colour; `hollow` for a ring) and `lines` [{y, name, dashed}].
 *
 * `low`, `high`: ends of the y axis, else what the points need; `ranks`: x is a place in a row, without numbers; `legend`: names by kind.
 */
export function scatter({ label, x, y, points, lines = [], low = null, high = null, ranks = false, legend = [] }) {
  const [left, right] = bounds(points.map((point) => point.x), ranks ? 0 : null, ranks ? points.reduce((most, point) => Math.max(most, point.x), 0) + 1 : null);
  const [bottom, top] = bounds([...points.map((point) => point.y), ...lines.map((line) => line.y)], low, high);
  const inner = { width: WIDTH - BOX.left - BOX.right, height: HEIGHT - BOX.top - BOX.bottom };
  const atX = (value) => BOX.left + (value - left) / (right - left) * inner.width;
  const atY = (value) => BOX.top + (1 - (value - bottom) / (top - bottom)) * inner.height;
  const across = (value, attributes) => svg("line", { x1: BOX.left, x2: WIDTH - BOX.right, y1: atY(value), y2: atY(value), ...attributes });
  return el("figure", { class: "chart-box scatter" },
    svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
      ticks(bottom, top, 4).map((value) => [
        across(value, { class: "grid" }),
        svg("text", { x: BOX.left - 6, y: atY(value) + 4, "text-anchor": "end" }, amount(value)),
      ]),
      !ranks && ticks(left, right, 4).map((value) => svg("text", { x: atX(value), y: HEIGHT - BOX.bottom + 16, "text-anchor": "middle" }, amount(value))),
      svg("text", { class: "axis", x: BOX.left + inner.width / 2, y: HEIGHT - 4, "text-anchor": "middle" }, x),
      svg("text", { class: "axis", x: 12, y: BOX.top + inner.height / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${BOX.top + inner.height / 2})` }, y),
      lines.map((line) => [
        across(line.y, { class: line.dashed ? "level dashed" : "level" }),
        svg("text", { class: "level", x: ranks ? BOX.left + 4 : WIDTH - BOX.right, y: atY(line.y) - 4, "text-anchor": ranks ? "start" : "end" }, line.name),
      ]),
      points.map((point) => svg("circle", { class: `spot spot-${point.kind ?? 1}${point.hollow ? " hollow" : ""}`, cx: atX(point.x), cy: atY(point.y), r: 4.5 },
        svg("title", {}, point.title)))),
    legend.length > 0 && el("figcaption", {}, el("ul", { class: "legend" }, legend.map(({ name, kind, hollow }) =>
      el("li", {}, el("span", { class: `spot-key spot-${kind}${hollow ? " hollow" : ""}`, "aria-hidden": "true" }), name)))));
}
