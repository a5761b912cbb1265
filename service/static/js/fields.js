// A control of a form with its label, its explanation and what is wrong with it.

import { el } from "./dom.js";

/**
 * A labelled control; `hints` are lines below it. The node has `wrong(messages)`, which marks it, and with [] clears it.
 *
 * `control` needs an id. `label` may be null where a legend names it (give it an aria-label then).
 */
export function field(control, label, ...hints) {
  const hint = el("div", { class: "hint", id: `${control.id}-hint` }, hints);
  const message = el("p", { class: "wrong", id: `${control.id}-wrong`, hidden: true });
  control.setAttribute("aria-describedby", `${hint.id} ${message.id}`);
  const node = el("div", { class: "field" }, label !== null && el("label", { for: control.id }, label), control, message, hint);
  node.wrong = (messages) => {
    message.textContent = messages.join(" ");
    message.hidden = messages.length === 0;
    if (messages.length) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  };
  node.control = control;
  return node;
}

/** A <select> of [value, text] pairs; a third member is the reason why it cannot be chosen. Without `value` the first is chosen. */
export function choose(id, pairs, value, attributes = {}) {
  const select = el("select", { id, name: id, ...attributes }, pairs.map(([each, text, why]) =>
    el("option", { value: each, disabled: Boolean(why) }, why ? `${text} (${why})` : text)));
  if (pairs.some(([each]) => each === value)) select.value = value;
  return select;
}

/** Takes away what was said of these fields. */
export const clearWrong = (fields) => fields.forEach((each) => each.wrong([]));

/** Says what the API found wrong, each at its field; resolves names by `find(name)`. Returns the messages that have no field. */
export function markWrong(errors, find) {
  const rest = [];
  let first = null;
  for (const [name, messages] of Object.entries(errors)) {
    const at = find(name);
    if (!at) {
      rest.push([name, messages]);
      continue;
    }
    for (let box = at.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    at.wrong(messages);
    if (!first || at.compareDocumentPosition(first) & Node.DOCUMENT_POSITION_FOLLOWING) first = at;
  }
  first?.control.focus();
  return rest;
}

/** The same for `fields`, by name; whether all that is wrong stands at a field, and nothing else needs to be said. */
export function allMarked(errors, fields) {
  const rest = markWrong(errors ?? {}, (name) => fields[name]);
  return rest.length === 0 && Object.keys(errors ?? {}).length > 0;
}
