// Where a model comes from and what it is made of: data, training, network, preprocessing, and what else its card holds.

import { el } from "../dom.js";
import { page } from "../api.js";
import { bytes, duration, number, words } from "../format.js";
import { facts, pairs, value } from "./facts.js";
import { count, fixed } from "./numbers.js";

const KNOWN = new Set(["schema", "id", "name", "version", "description", "architecture", "encoder", "network", "in_channels", "classes", "labels",
  "preprocessing", "threshold", "min_region_pixels", "test_time_augmentation", "calibration", "unlike", "metrics", "provenance", "licence",
  "intended_use", "not_for", "weights", "channels", "created_at", "aliases", "links"]);
const ORIGIN = new Set(["data", "recipe", "start", "split", "slices", "epochs", "seconds", "selection", "run"]);

const without = (object, known) => Object.fromEntries(Object.entries(object ?? {}).filter(([name]) => !known.has(name)));

/** What it may be used for, and what not. */
export function purpose(card) {
  return [
    card.intended_use && [el("h3", {}, "Intended use"), el("p", {}, value(card.intended_use))],
    card.not_for && el("div", { class: "notice warn" }, el("p", {}, el("strong", {}, "Not for: "), value(card.not_for))),
    card.provenance?.data && [el("h3", {}, "Data"), el("p", {}, value(card.provenance.data))],
    el("h3", {}, "Licence"),
    el("p", {}, !card.licence || card.licence === "unknown"
      ? "Unknown: nobody wrote down the terms of the data. A model is no freer than what it learned from; find that out before it leaves this place."
      : value(card.licence)),
  ];
}

/** The network and what is done before and after it. */
export function network(card) {
  const { weights, calibration } = card;
  return [
    pairs([
      ["Architecture", card.architecture],
      ["Encoder", card.encoder ?? "none of its own"],
      ["Options", Object.keys(card.network ?? {}).length > 0 && value(card.network)],
      ["Parameters", weights?.parameters && number(weights.parameters)],
      ["Channels", card.channels?.length ? card.channels.join(", ") : card.in_channels && String(card.in_channels)],
      ["Labels", card.labels && el("ul", { class: "plain" }, card.labels.map((label) => el("li", {}, `${label.value}: ${label.name}`)))],
      ["Threshold", Number.isFinite(card.threshold) && String(card.threshold)],
      ["Smallest region", Number.isFinite(card.min_region_pixels) && `${card.min_region_pixels} pixels; smaller ones are dropped`],
      ["Test-time flips", card.test_time_augmentation && (card.test_time_augmentation.join(", ") || "none")],
      ["Calibration", calibration && `probability = sigmoid(${fixed(calibration.scale)} × logit ${calibration.bias < 0 ? "−" : "+"} ${fixed(Math.abs(calibration.bias))})`],
      ["Warns beyond", card.unlike && Object.keys(card.unlike).length > 0 && value(card.unlike)],
      ["Weights", weights && `${weights.file ?? ""} · ${bytes(weights.bytes ?? 0)} · ${weights.dtype ?? ""}`],
      ["SHA-256", weights?.sha256 && el("code", {}, weights.sha256)],
    ]),
    card.preprocessing && [el("h3", {}, "Preprocessing"), facts(card.preprocessing)],
  ];
}

/** How it was trained. */
export function training(card) {
  const from = card.provenance ?? {}, { recipe = {}, split, selection } = from;
  const bySlice = recipe.split === "slice" || card.metrics?.split_by === "slice";
  const lists = Object.entries(split ?? {}).filter(([, names]) => names.length);
  return [
    pairs([
      ["Started from", from.start],
      [bySlice ? "Slices" : "Patients", split && Object.entries(split).map(([name, names]) => `${names.length} ${name}`).join(", ")],
      ["Slices in all", from.slices && number(from.slices)],
      ["Epochs", from.epochs && number(from.epochs)],
      ["Time", from.seconds && duration(from.seconds)],
      ["Chosen on", selection && [selection.on, Number.isFinite(selection.validation_dice) && `(mean volume Dice there ${fixed(selection.validation_dice)})`].filter(Boolean).join(" ")],
      ["Training run", from.run && el("a", { href: page(`training/runs/${from.run}`) }, from.run)],
      ...Object.entries(without(from, ORIGIN)).map(([name, given]) => [words(name), value(given)]),
    ]),
    Object.keys(recipe).length > 0 && el("details", {}, el("summary", {}, "Recipe: every decision of the training"), facts(recipe)),
    lists.map(([name, names]) => el("details", {}, el("summary", {}, `${words(name)}: ${count(names.length, bySlice ? "slice" : "patient")}`),
      el("p", { class: "name-list" }, names.join(", ")))),
  ];
}

/** What the card holds that no other section shows; null where that is nothing. */
export function others(card) {
  const rest = without(card, KNOWN);
  return Object.keys(rest).length ? facts(rest) : null;
}
