// The controls of a field of a training run, by its type: each reads and writes a value and takes what is wrong with it.

import { button, el } from "../dom.js";
import { field as labelled } from "../fields.js";
import { number } from "../format.js";
import { label, said } from "./specification.js";

const LONG = 200; // longer texts get a box of several lines
const PARTS = { split_fractions: ["Train", "Validation", "Test"] };

/** "32 to 1,024, whole", "above 0, at most 1"; "" where there are no limits. */
export function limitWords({ minimum, maximum, exclusive_minimum: above, nullable, type, whole }) {
  if (minimum === null || minimum === undefined) return "";
  const digits = (value) => (Number.isInteger(value) ? number(value, 0) : String(value));
  const range = above ? `above ${digits(minimum)}, at most ${digits(maximum)}` : `${digits(minimum)} to ${digits(maximum)}`;
  return [range, (type === "integer" || whole) && "whole", nullable && "or empty (null)"].filter(Boolean).join(", ");
}

const idOf = (name) => `field-${name.replaceAll(".", "-")}`;
const shortLabel = (name) => label(name).replace(/^(Augmentations|Limit|Card): (.)(.*)$/, (_, group, first, rest) =>
  (group === "Augmentations" ? first.toUpperCase() + rest : `${group} ${group === "Limit" ? "of" : ""} ${first}${rest}`.replace("  ", " ")));

/** The control of `field` (an entry of the catalog's `fields`): {node, read(), write(value), mark(base)}. `table` explains choices. */
export function control(field, table) {
  const made = (MAKERS[field.type] ?? text)(field, table);
  const back = button("", () => {
    made.write(made.base);
    made.node.dispatchEvent(new Event("change", { bubbles: true }));
    (made.node.control ?? made.node).focus();
  }, { kind: "link", hidden: true });
  made.node.append(back);
  made.node.dataset.field = field.name;
  /** Shows whether it differs from what the form began with. */
  made.mark = (base, changed) => {
    made.base = base;
    if (field.type === "options") return; // its members say what they usually are
    made.node.classList.toggle("changed", changed);
    back.hidden = !changed || base === ""; // a text that was empty is as quickly emptied
    back.replaceChildren(`Back to ${said(base)}`, el("span", { class: "unseen" }, ` for ${shortLabel(field.name)}`));
  };
  return made;
}

/** A sentence of the API in which `names` stand between backticks, as nodes. */
function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? el("code", {}, part) : part));
}

function hints(field) {
  const limits = limitWords(field);
  return [prose(field.description), limits && el("span", { class: "limits" }, ` ${limits.charAt(0).toUpperCase()}${limits.slice(1)}.`)];
}

function text(field) {
  const long = field.max_length > LONG;
  const input = el(long ? "textarea" : "input", { id: idOf(field.name), name: field.name, autocomplete: "off", maxlength: field.max_length, rows: long ? 2 : null });
  return { node: labelled(input, shortLabel(field.name), hints(field)), read: () => input.value.trim(), write: (value) => void (input.value = value ?? "") };
}

/** What cannot be read as a number goes to the API as it is, which says so together with all else that is wrong. */
function readNumber(input, empty) {
  const typed = input.value.trim();
  if (typed === "") return empty;
  return Number.isFinite(Number(typed)) ? Number(typed) : typed;
}

function numeric(field) {
  const input = el("input", { id: idOf(field.name), name: field.name, inputmode: "decimal", autocomplete: "off", spellcheck: "false" });
  const made = {
    node: labelled(input, shortLabel(field.name), hints(field)),
    read: () => readNumber(input, field.nullable ? null : made.base),
    write: (value) => void (input.value = value ?? ""),
  };
  return made;
}

function flag(field) {
  const input = el("input", { type: "checkbox", id: idOf(field.name), name: field.name });
  const node = labelled(input, null, hints(field));
  input.after(el("label", { for: input.id, class: "beside" }, shortLabel(field.name)));
  return { node, read: () => input.checked, write: (value) => void (input.checked = Boolean(value)) };
}

function choice(field, table) {
  const select = el("select", { id: idOf(field.name), name: field.name });
  const sentence = el("span", { class: "sentence" });
  const node = labelled(select, shortLabel(field.name), el("span", {}, prose(field.description)), " ", sentence);
  const explain = () => {
    sentence.replaceChildren(...prose(table.find((each) => each.name === select.value)?.description ?? ""));
  };
  select.addEventListener("change", explain);
  const made = {
    node,
    read: () => select.value || null,
    write: (value) => {
      select.value = value ?? "";
      explain();
    },
    /** Offers these names only; null stands for none. */
    offer: (names, none) => {
      const now = select.value;
      select.replaceChildren(...names.map((name) => el("option", { value: name ?? "" }, name ?? none)));
      made.write(names.includes(now || null) ? now : names[0]);
    },
  };
  made.offer([...(field.choices ?? []), ...(field.nullable ? [null] : [])], field.name === "encoder_weights" ? "random weights" : "none");
  return made;
}

/** Several ticks under one legend. */
function ticks(field) {
  const box = el("div", { class: "ticks" });
  const hint = el("p", { class: "hint", id: `${idOf(field.name)}-hint` }, hints(field));
  const message = el("p", { class: "wrong", id: `${idOf(field.name)}-wrong`, hidden: true });
  const node = el("fieldset", { class: "field", "aria-describedby": `${hint.id} ${message.id}`, tabindex: "-1" }, el("legend", {}, shortLabel(field.name)), box, message, hint);
  const inputs = () => [...box.querySelectorAll("input")];
  node.control = node;
  node.wrong = (messages) => {
    message.textContent = messages.join(" ");
    message.hidden = messages.length === 0;
  };
  const offer = (names) => box.replaceChildren(...names.map((name) => el("label", { class: "check" }, el("input", { type: "checkbox", value: name }), name)));
  if (field.choices) offer(field.choices);
  return {
    node,
    offer,
    read: () => inputs().filter((each) => each.checked).map((each) => each.value),
    write: (value) => inputs().forEach((each) => {
      each.checked = (value ?? []).includes(each.value);
    }),
  };
}

/** Numbers side by side under one legend. */
function numbers(field) {
  const names = PARTS[field.name] ?? field.default.map((_, index) => String(index + 1));
  const hint = el("p", { class: "hint", id: `${idOf(field.name)}-hint` }, hints(field));
  const message = el("p", { class: "wrong", id: `${idOf(field.name)}-wrong`, hidden: true });
  const inputs = names.map((_, index) => el("input", {
    id: `${idOf(field.name)}-${index}`, inputmode: "decimal", autocomplete: "off", "aria-describedby": `${hint.id} ${message.id}`,
  }));
  const node = el("fieldset", { class: "field" }, el("legend", {}, shortLabel(field.name)),
    el("div", { class: "side-by-side" }, inputs.map((input, index) =>
      el("div", {}, el("label", { for: input.id, class: "light" }, names[index]), input))), message, hint);
  node.control = inputs[0];
  node.wrong = (messages) => {
    message.textContent = messages.join(" ");
    message.hidden = messages.length === 0;
    for (const input of inputs) {
      if (messages.length) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
  };
  const made = {
    node,
    read: () => inputs.map((input, index) => readNumber(input, made.base?.[index])),
    write: (value) => inputs.forEach((input, index) => {
      input.value = value?.[index] ?? "";
    }),
  };
  return made;
}

/** The numbers that an architecture or a loss takes; which, says `offer(options, of)`. */
function options(field) {
  const box = el("div", { class: "columns" });
  const message = el("p", { class: "wrong", id: `${idOf(field.name)}-wrong`, hidden: true });
  const node = el("fieldset", { class: "field options", tabindex: "-1", hidden: true, "aria-describedby": message.id }, el("legend", {}, shortLabel(field.name)), box, message);
  let members = {}, offered = null;
  node.control = node;
  node.wrong = (messages) => {
    message.textContent = messages.join(" ");
    message.hidden = messages.length === 0;
    if (!messages.length) Object.values(members).forEach((member) => member.node.wrong([]));
  };
  return {
    node,
    read: () => Object.fromEntries(Object.entries(members).map(([name, member]) => [name, member.read()])),
    write: (value) => Object.entries(members).forEach(([name, member]) => member.write(value?.[name])),
    member: (name) => members[name],
    offer(found, of) {
      if (offered === of) return; // somebody may be typing there
      offered = of;
      node.hidden = Object.keys(found).length === 0;
      node.firstChild.textContent = `Options of ${of}`;
      members = Object.fromEntries(Object.entries(found).map(([name, option]) => {
        const made = numeric({ ...option, name: `${field.name}.${name}`, description: `Usually ${option.default}.` });
        made.base = option.default;
        made.node.querySelector("label").textContent = label(name);
        return [name, made];
      }));
      box.replaceChildren(...Object.values(members).map((member) => member.node));
    },
  };
}

const MAKERS = { string: text, integer: numeric, number: numeric, boolean: flag, choice, choices: ticks, names: ticks, numbers, options };
