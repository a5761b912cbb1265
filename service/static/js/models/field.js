// A field of a form with its label, hint and errors; errors of the API stand at the field that they name.

import { el, need } from "../dom.js";

/** A labelled control; `hint` is a sentence below it. */
export function field(control, label, hint = "") {
  const id = control.id;
  if (hint) control.setAttribute("aria-describedby", `${id}-hint`);
  return el("div", { class: "field" }, el("label", { for: id }, label), control, hint && el("p", { class: "hint", id: `${id}-hint` }, hint));
}

/** A choice of [value, text] pairs. */
export function choice(id, options, chosen = "") {
  const select = el("select", { id }, options.map(([given, text]) => el("option", { value: given }, text)));
  if (options.some(([given]) => given === chosen)) select.value = chosen;
  return select;
}

/** Takes the errors away that `showErrors` put there. */
export function clearErrors(form) {
  form.querySelectorAll(".wrong").forEach((node) => node.remove());
  form.querySelectorAll("[aria-invalid]").forEach((control) => {
    control.removeAttribute("aria-invalid");
    const rest = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => !id.endsWith("-wrong"));
    if (rest.join("")) control.setAttribute("aria-describedby", rest.join(" "));
    else control.removeAttribute("aria-describedby");
  });
}

/** Shows each error at its control (`ids`: field -> id of the control) and focuses the first; true when all found their place. */
export function showErrors(form, errors, ids) {
  clearErrors(form);
  const known = Object.entries(errors).filter(([name]) => ids[name]);
  for (const [name, messages] of known) {
    const control = need(`#${ids[name]}`, form), wrong = `${ids[name]}-wrong`;
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-describedby", `${wrong} ${control.getAttribute("aria-describedby") ?? ""}`.trim());
    control.closest(".field").append(el("p", { class: "wrong", id: wrong }, messages.join(" ")));
  }
  if (known.length) need(`#${ids[known[0][0]]}`, form).focus();
  return known.length > 0 && known.length === Object.keys(errors).length;
}
