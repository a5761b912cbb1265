// Recent results as thumbnails, each deletable.

import { api, page, v1 } from "../api.js";
import { button, chip, el, emptyBox, problemBox, swap } from "../dom.js";
import { ago, number, percent } from "../format.js";
import { deleteJob } from "./remove.js";

/** A list of jobs as cards. One that is deleted goes away, and `onDeleted` is called with its job; `heading` takes the focus after the last one. */
export function cards(jobs, { heading, onDeleted }) {
  return el("ul", { class: "cards" }, jobs.map((job) => card(job, (node) => {
    takeAway(node, heading);
    onDeleted(job);
  })));
}

/** Removes a card; the focus goes to the one after it, else to the one before it. */
function takeAway(node, heading) {
  const all = [...document.querySelectorAll(".result-card")], at = all.indexOf(node);
  (all[at + 1] ?? all[at - 1])?.querySelector("a").focus();
  node.remove();
  if (all.length < 2) heading.focus();
}

/** How large the tumour is, in the best unit that is known. */
function extent({ result, image }) {
  if (image.slices) return result.volume_mm3 === null ? `${result.coverage_percent.toFixed(2)} %` : `${number(result.volume_mm3 / 1000)} ml`;
  return result.area_mm2 === null ? `${result.coverage_percent.toFixed(2)} %` : `${number(result.area_mm2)} mm²`;
}

function card(job, gone) {
  const { result, image } = job;
  const words = !result ? job.status : result.tumor_detected ? "tumour" : "no tumour";
  const kind = !result ? (job.status === "failed" ? "bad" : "busy") : result.tumor_detected ? "bad" : "ok";
  const size = result?.tumor_detected ? extent(job) : "";
  const label = `Result of ${ago(job.created_at)}: ${words}`;
  const away = button("Delete", async () => (await deleteJob(job)) && gone(node), { kind: "quiet small", "aria-label": `Delete: ${label}` });
  const node = el("li", { class: "result-card", "data-job": job.id },
    el("a", { href: page(`results/${job.id}`), "aria-label": label },
      result ? el("img", { src: `${job.links.thumbnail}?size=96`, alt: "", width: 96, height: 96, loading: "lazy" }) : el("span", { class: "no-picture", "aria-hidden": "true" }, "…"),
      el("span", { class: "facts" }, chip(words, kind), el("span", {}, size))),
    el("p", { class: "hint" }, ago(job.created_at), image.slices ? ` · ${image.slices} slices` : "", result ? ` · ${percent(result.confidence, 0)}` : ""),
    away);
  return node;
}

/** Loads and shows the latest results in `node`; a card that has the focus keeps it. */
export async function recent(node, { heading, onDeleted, limit = 8 }) {
  try {
    const { items } = await api(`${v1("segmentations")}?limit=${limit}&mask_format=none`);
    const focused = node.contains(document.activeElement) && document.activeElement;
    const id = focused && focused.closest(".result-card")?.dataset.job, tag = focused && focused.localName;
    swap(node, heading, items.length ? cards(items, { heading, onDeleted }) : emptyBox("Nothing here yet. Drop an image above, or try an example."));
    if (id) node.querySelector(`[data-job="${CSS.escape(id)}"] ${tag}`)?.focus();
  } catch (error) {
    swap(node, heading, problemBox(error, button("Try again", () => recent(node, { heading, onDeleted, limit }))));
  }
}
