// Whatever a card holds, as a list of names and values: what this page does not know is shown all the same.

import { el } from "../dom.js";
import { words } from "../format.js";

const LONG = 12; // entries of a list above which it folds away

const plain = (value) => value === null || typeof value !== "object";

/** A value of JSON as text or as a nested list. */
export function value(given) {
  if (given === null || given === undefined || given === "") return "–";
  if (given === true) return "yes";
  if (given === false) return "no";
  if (typeof given === "number") return String(Number(given.toPrecision(8)));
  if (plain(given)) return String(given);
  if (Array.isArray(given)) return list(given);
  return Object.keys(given).length ? facts(given) : "–";
}

function list(given) {
  if (!given.length) return "none";
  const text = given.every(plain) ? given.map(value).join(", ") : null;
  const shown = text ?? el("ul", { class: "plain" }, given.map((each) => el("li", {}, value(each))));
  return given.length > LONG ? el("details", {}, el("summary", {}, `${given.length} entries`), shown) : shown;
}

/** An object as a <dl>; `names` gives names of its own to keys. */
export function facts(object, names = {}) {
  return el("dl", { class: "card-facts" }, Object.entries(object).map(([name, given]) =>
    [el("dt", {}, names[name] ?? words(name)), el("dd", {}, value(given))]));
}

/** Pairs [name, value or node] as a <dl>; those without a value are left out. */
export function pairs(entries) {
  return el("dl", { class: "card-facts" }, entries
    .filter(([, given]) => given !== null && given !== undefined && given !== "" && given !== false)
    .map(([name, given]) => [el("dt", {}, name), el("dd", {}, given)]));
}
