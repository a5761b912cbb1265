// Line charts as SVG: axes, lines, a legend, the values under the pointer, and the numbers as a table for those who cannot see it.

import { el, svg } from "./dom.js";
import { number } from "./format.js";

const WIDTH = 640;
const BOX = { left: 70, right: 14, top: 12, bottom: 34 };
const LINES = 6; // colours in style.css: .line-1 to .line-6

/** Round steps (1, 2 or 5 times a power of ten) that cover low..high in about `count` parts. */
export function ticks(low, high, count = 5) {
  if (!(high > low)) return [low];
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-9; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}

/** The value of a tick: as few digits as tell it from its neighbours, 2e-4 where zeros would take the room. */
function tickText(value, step) {
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  return value !== 0 && digits > 3 ? value.toExponential() : number(value, Number.isFinite(digits) ? digits : 2);
}

/** low..high of all y values, from zero where all are positive and `fromZero`; a line that is flat gets some air. */
function range(series, fromZero) {
  const values = series.flatMap((each) => each.points.map((point) => point[1])).filter(Number.isFinite);
  let low = Math.min(...values), high = Math.max(...values);
  if (!values.length) return [0, 1];
  if (fromZero && low >= 0) low = 0;
  if (low === high) high = low + (Math.abs(low) || 1) * 0.1;
  return [low, high + (high - low) * 0.04];
}

/**
 * A chart of `series` [{name, points: [[x, y], …]}] with numbers on both axes, as a <figure>.
 *
 * `label` says what it shows; `x` and `y` name the axes; `digits` for values; `onPick(x)` is called with the x that was
 * clicked; `cursor` is an x that is marked; `height` is in
 * units of which the chart is 640 wide. Points with a y that is no number interrupt the line.
 */
export function lineChart({ label, x = "", y = "", series, fromZero = true, digits = 3, onPick = null, cursor = null, table = true, height = 260 }) {
  const shown = series.filter((each) => each.points.some((point) => Number.isFinite(point[1])));
  const xs = shown.flatMap((each) => each.points.map((point) => point[0]));
  const [left, right] = xs.length ? [Math.min(...xs), Math.max(...xs)] : [0, 1];
  const [low, high] = range(shown, fromZero);
  const inner = { width: WIDTH - BOX.left - BOX.right, height: height - BOX.top - BOX.bottom };
  const atX = (value) => BOX.left + (right === left ? 0.5 : (value - left) / (right - left)) * inner.width;
  const atY = (value) => BOX.top + (1 - (value - low) / (high - low)) * inner.height;
  const path = (points) => {
    let pen = "M";
    return points.map(([px, py]) => {
      if (!Number.isFinite(py)) {
        pen = "M";
        return "";
      }
      const part = `${pen}${atX(px).toFixed(1)} ${atY(py).toFixed(1)}`;
      pen = "L";
      return part;
    }).join("");
  };

  const marker = svg("line", { class: "cursor", y1: BOX.top, y2: height - BOX.bottom, visibility: "hidden" });
  const moveCursor = (value) => {
    marker.setAttribute("visibility", value === null ? "hidden" : "visible");
    if (value !== null) for (const end of ["x1", "x2"]) marker.setAttribute(end, atX(value));
  };
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label, class: onPick ? "chart picks" : "chart" },
    ticks(low, high).map((value, index, all) => [
      svg("line", { class: "grid", x1: BOX.left, x2: WIDTH - BOX.right, y1: atY(value), y2: atY(value) }),
      svg("text", { x: BOX.left - 6, y: atY(value) + 4, "text-anchor": "end" }, tickText(value, all[1] - all[0])),
    ]),
    ticks(left, right, 8).filter(Number.isInteger).map((value) =>
      svg("text", { x: atX(value), y: height - BOX.bottom + 16, "text-anchor": "middle" }, String(value))),
    svg("text", { class: "axis", x: BOX.left + inner.width / 2, y: height - 3, "text-anchor": "middle" }, x),
    svg("text", { class: "axis", x: 11, y: BOX.top + inner.height / 2, "text-anchor": "middle", transform: `rotate(-90 11 ${BOX.top + inner.height / 2})` }, y),
    marker,
    shown.map((each, index) => {
      const kind = `line-${(series.indexOf(each) % LINES) + 1}`;
      const alone = each.points.length === 1 && svg("circle", { class: `${kind} dot`, cx: atX(each.points[0][0]), cy: atY(each.points[0][1]), r: 3.5 });
      return [svg("path", { class: `${kind} line`, d: path(each.points), "data-index": index }), alone];
    }));
  moveCursor(cursor);

  const readout = el("span", { class: "readout", "aria-hidden": "true" });
  const nearest = (event) => {
    const box = picture.getBoundingClientRect();
    const wanted = left + (((event.clientX - box.left) / box.width) * WIDTH - BOX.left) / inner.width * (right - left);
    return xs.reduce((best, value) => (Math.abs(value - wanted) < Math.abs(best - wanted) ? value : best), xs[0]);
  };
  const tell = (event) => {
    if (!xs.length) return;
    const at = nearest(event);
    const values = shown.map((each) => [each.name, each.points.find((point) => point[0] === at)?.[1]]).filter((pair) => Number.isFinite(pair[1]));
    readout.textContent = `${x} ${at}: ${values.map(([name, value]) => `${name} ${number(value, digits)}`).join(", ")}`;
    if (!onPick) moveCursor(at);
  };
  picture.addEventListener("pointermove", tell);
  if (onPick) picture.addEventListener("pointerdown", (event) => xs.length && onPick(nearest(event)));

  const figure = el("figure", { class: "chart-box" },
    picture,
    el("figcaption", {},
      series.length > 1 && el("ul", { class: "legend" }, series.map((each, index) =>
        el("li", {}, el("span", { class: `key line-${(index % LINES) + 1}`, "aria-hidden": "true" }), each.name))),
      readout),
    table && numbersBox(label, x, series, digits));
  figure.moveCursor = moveCursor;
  return figure;
}

/** The numbers are many where there are thousands of epochs, so they are made when somebody wants to see them. */
function numbersBox(...all) {
  const box = el("details", {}, el("summary", {}, "Numbers"));
  box.addEventListener("toggle", () => box.append(numbers(...all)), { once: true });
  return box;
}

function numbers(label, x, series, digits) {
  const xs = [...new Set(series.flatMap((each) => each.points.map((point) => point[0])))].sort((a, b) => a - b);
  const lookup = series.map((each) => new Map(each.points));
  return el("div", { class: "scroll short", tabindex: "0", role: "region", "aria-label": `${label}: numbers` },
    el("table", {},
      el("thead", {}, el("tr", {}, [x, ...series.map((each) => each.name)].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, xs.map((value) => el("tr", {}, el("th", { scope: "row" }, String(value)), lookup.map((each) => el("td", {}, number(each.get(value), digits))))))));
}
