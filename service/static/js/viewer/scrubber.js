// Through a volume: a slider over its slices and the curve of tumour area along them.

import { lineChart } from "../chart.js";
import { button, el } from "../dom.js";

/** {node, sync(index, areas, unit)}; `go(index)` shows a slice. */
export function scrubber({ count, largest, go, plane }) {
  const slider = el("input", { type: "range", id: "slice", min: 0, max: count - 1, oninput: () => go(Number(slider.value)) });
  const at = el("span", { class: "value", "aria-hidden": "true" });
  const curve = el("div", { class: "area-curve" });
  let drawn = null, chart = null;
  const node = el("div", { class: "scrubber" },
    el("div", { class: "scrub" },
      el("label", { for: "slice" }, "Slice"), slider, at,
      button("‹", () => go(Number(slider.value) - 1), { class: "second small", "aria-label": "Previous slice" }),
      button("›", () => go(Number(slider.value) + 1), { class: "second small", "aria-label": "Next slice" }),
      button("Largest", () => go(largest()), { class: "second small", "aria-label": "Slice with most tumour" })),
    curve);
  return {
    node,
    sync(index, areas, unit) {
      slider.value = index;
      at.textContent = `${index} (0 to ${count - 1})`;
      slider.setAttribute("aria-valuetext", `slice ${index}${plane ? `, ${plane}` : ""}, ${areas[index] ? `tumour ${Math.round(areas[index])} ${unit}` : "no tumour"}`);
      if (drawn !== areas) {
        drawn = areas;
        chart = lineChart({
          label: `Tumour area along the slices, in ${unit}`, x: "slice", y: unit, digits: 1,
          series: [{ name: `area (${unit})`, points: areas.map((area, slice) => [slice, area]) }],
          onPick: go, cursor: index, height: 150,
        });
        curve.replaceChildren(chart);
      }
      chart.moveCursor(index);
    },
  };
}
