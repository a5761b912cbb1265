// How good a card says that its model is, in one number, and how that was measured. Cards differ: null where nothing was.

import { el } from "../dom.js";
import { intervalBar } from "./interval_bar.js";
import { count, fixed, interval } from "./numbers.js";

const MAIN = "as_uploaded";

/** {mean, ci95, patients, bySlice, own} of the card's Dice; `own` is false where the numbers belong to the weights it started from. */
export function headline(card) {
  const volumes = card.metrics?.volume_dice ?? {};
  const found = volumes[MAIN] ?? Object.values(volumes)[0];
  if (!Number.isFinite(found?.mean)) return null;
  return {
    ...found,
    ci95: trustworthy(found),
    bySlice: card.metrics.split_by === "slice",
    own: card.metrics.weights_sha256 === undefined || card.metrics.weights_sha256 === card.weights?.sha256,
  };
}

/** The interval of a figure over patients; one patient has none, whatever the card says. */
export function trustworthy(figure) {
  return (figure.patients ?? figure.n) > 1 ? figure.ci95 : null;
}

/** The caution that belongs beside a headline, as sentences. */
export function cautions(found) {
  return [
    !found.own && "Measured on the weights that this model started from; it went on to learn from all patients, so it has no number of its own.",
    found.bySlice && "Measured on slices whose neighbours were learned from: too good to be true for other patients.",
    found.patients === 1 && "A single patient says nothing about others.",
  ].filter(Boolean);
}

/** The headline as a block: the number large, the interval drawn and written, and what to be careful about. */
export function headlineBlock(card) {
  const found = headline(card);
  if (!found) return el("div", { class: "score" }, el("p", { class: "hint" }, "No accuracy was measured. Evaluate it on a dataset of yours before you rely on it."));
  const kept = found.patients !== undefined && ` · ${count(found.patients, "patient")} ${found.bySlice ? "split by slice" : "kept for testing"}`;
  return el("div", { class: "score" },
    el("p", { class: "number" }, el("strong", {}, fixed(found.mean)), " mean Dice of whole volumes"),
    intervalBar(found),
    el("p", { class: "hint" }, found.ci95 ? `95 % interval ${interval(found.ci95)}` : "No interval", kept),
    cautions(found).map((text) => el("p", { class: "caution" }, text)));
}
