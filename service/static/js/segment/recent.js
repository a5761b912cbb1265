// Recent results as thumbnails, each deletable.

import { api, page, v1 } from "../api.js";
import { button, chip, el, emptyBox, problemBox, show } from "../dom.js";
import { ago, number, percent } from "../format.js";
import { deleteJob } from "./remove.js";

/** A list of jobs as cards; `onChange` is called when one was deleted. */
export function cards(jobs, onChange) {
  return el("ul", { class: "cards" }, jobs.map((job) => card(job, onChange)));
}

/** How large the tumour is, in the best unit that is known. */
function extent({ result, image }) {
  if (image.slices) return result.volume_mm3 === null ? `${result.coverage_percent.toFixed(2)} %` : `${number(result.volume_mm3 / 1000)} ml`;
  return result.area_mm2 === null ? `${result.coverage_percent.toFixed(2)} %` : `${number(result.area_mm2)} mm²`;
}

function card(job, onChange) {
  const { result, image } = job;
  const words = !result ? job.status : result.tumor_detected ? "tumour" : "no tumour";
  const kind = !result ? (job.status === "failed" ? "bad" : "busy") : result.tumor_detected ? "bad" : "ok";
  const size = result?.tumor_detected ? extent(job) : "";
  const label = `Result of ${ago(job.created_at)}: ${words}`;
  return el("li", { class: "result-card" },
    el("a", { href: page(`results/${job.id}`), "aria-label": label },
      result ? el("img", { src: `${job.links.thumbnail}?size=96`, alt: "", width: 96, height: 96, loading: "lazy" }) : el("span", { class: "no-picture", "aria-hidden": "true" }, "…"),
      el("span", { class: "facts" }, chip(words, kind), el("span", {}, size))),
    el("p", { class: "hint" }, ago(job.created_at), image.slices ? ` · ${image.slices} slices` : "", result ? ` · ${percent(result.confidence, 0)}` : ""),
    button("Delete", async () => (await deleteJob(job)) && onChange(), { kind: "quiet small", "aria-label": `Delete: ${label}` }));
}

/** Loads and shows the latest results in `node`. */
export async function recent(node, limit = 8) {
  try {
    const { items } = await api(`${v1("segmentations")}?limit=${limit}&mask_format=none`);
    show(node, items.length ? cards(items, () => recent(node, limit)) : emptyBox("Nothing here yet. Drop an image above, or try an example."));
  } catch (error) {
    show(node, problemBox(error, button("Try again", () => recent(node, limit))));
  }
}
