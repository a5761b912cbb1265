// A line without axes that shows at a glance how a number went.

import { svg } from "../dom.js";

const WIDTH = 96, HEIGHT = 24, AIR = 2;

/** The line of these values, from 0 to 1, as decoration: the number beside it says what matters. Null below two values. */
export function sparkline(values) {
  const points = values.map((value, index) => [index, value]).filter(([, value]) => Number.isFinite(value));
  if (points.length < 2) return null;
  const x = (index) => AIR + (index / (values.length - 1)) * (WIDTH - 2 * AIR);
  const y = (value) => HEIGHT - AIR - value * (HEIGHT - 2 * AIR);
  const path = points.map(([index, value]) => `${x(index).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
  return svg("svg", { class: "sparkline", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" }, svg("path", { class: "line-1 line", d: `M${path}` }));
}
