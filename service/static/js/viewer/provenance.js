// Where a result comes from: the model with what its card says of it, the image, the times, how long it is kept.

import { api, page, v1 } from "../api.js";
import { chip, el } from "../dom.js";
import { number, time } from "../format.js";
import { cautions, headline } from "../models/headline.js";
import { fixed, interval } from "../models/numbers.js";

const row = (name, ...value) => [el("dt", {}, name), el("dd", {}, value)];

/** The list of all that; what the card says comes a moment later. */
export function about(job) {
  const { image, model, timings_ms: timings } = job, card = el("div", { class: "hint" });
  const named = model.alias && model.alias !== model.id ? ` (${model.alias})` : "";
  describe(model.id, card);
  return el("dl", {},
    row("Model", el("a", { href: page(`models/${encodeURIComponent(model.id)}`) }, model.id), `${named}: ${[model.architecture, model.encoder].filter(Boolean).join(", ")}`, card),
    row("Image", `${image.format}, ${image.width} × ${image.height}${image.slices ? ` × ${image.slices}` : ""}, ${image.bit_depth} bit`, image.plane && `, ${image.plane}`, image.modalities?.length > 0 && `, ${image.modalities.join(", ")}`, image.channels === 3 && ", RGB"),
    row("Times", Object.entries(timings).map(([name, ms]) => chip(`${name} ${number(ms, 1)} ms`))),
    row("Kept until", `${time(job.expires_at)}, then pixels and result are deleted`));
}

async function describe(id, place) {
  let card;
  try {
    card = await api(v1(`models/${encodeURIComponent(id)}`));
  } catch {
    return; // the model may have been deleted since; the result stands without its card
  }
  const accuracy = headline(card);
  place.replaceChildren(...[
    accuracy && el("p", {}, `Mean Dice ${fixed(accuracy.mean)}${accuracy.ci95 ? ` (${interval(accuracy.ci95)})` : ""} by patient volume. ${cautions(accuracy).join(" ")}`),
    card.intended_use && el("p", {}, el("strong", {}, "For: "), card.intended_use),
    card.not_for && el("p", {}, el("strong", {}, "Not for: "), card.not_for),
  ].filter(Boolean));
}
