// Validation slices with the masks of experts and of the network, as the run last drew them.

import { Problem } from "../api.js";
import { el } from "../dom.js";
import { pictureSource } from "./picture_source.js";

/** The picture as a <section>, hidden until there is one; `section.update(run)` fetches it after each validation. */
export function samples(links) {
  const image = el("img", { alt: "Validation slices, each with the expert's mask and the network's", class: "samples" });
  const words = el("p", { class: "hint" });
  const section = el("section", { class: "card", "aria-labelledby": "samples-title", hidden: true },
    el("div", { class: "title" }, el("h2", { id: "samples-title" }, "Samples"), el("a", { href: links.samples, download: "samples.png" }, "Download as PNG")),
    image, words);
  let shown = null;
  section.update = async ({ epochs }) => {
    const last = epochs.filter((each) => Number.isFinite(each.validation_dice)).at(-1)?.epoch ?? null;
    if (last === null || last === shown) return;
    const before = shown;
    shown = last;
    try {
      image.src = (await pictureSource(links.samples)).source;
      words.textContent = `Slices of the validation patients after epoch ${last}: outlined by the expert in green, by the network in red.`;
      section.hidden = false;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      shown = before; // asked again with the next news
    }
  };
  return section;
}
