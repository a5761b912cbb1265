// The options of the form: what they are now, and what the service said of them.

import { el } from "../dom.js";

const NAMES = ["model", "threshold", "pixel_spacing_mm", "slice_spacing_mm", "sequence_order"];

/** The options that count for what is sent next. */
export class Options {
  constructor(form) {
    this.form = form;
    for (const name of NAMES) form.elements[name].addEventListener("input", () => this.#clear(name));
  }

  /** name -> text, as they are filled in now. */
  values() {
    return Object.fromEntries(NAMES.map((name) => [name, this.form.elements[name].value.trim()]));
  }

  /** The messages of a problem under the labels of their fields. */
  worded(problem) {
    const errors = Object.entries(problem.errors ?? {}).map(([name, messages]) => [this.#label(name), messages]);
    const detail = problem.code === "invalid_fields" ? "Change this:" : problem.detail ?? problem.message;
    return { ...problem, detail, errors: Object.fromEntries(errors) };
  }

  /** Says at each option what is wrong with it; with `focus`, opens the options and goes to the first of them. */
  mark(errors, focus) {
    this.clear();
    const wrong = NAMES.filter((name) => errors[name]);
    for (const name of wrong) {
      const field = this.form.elements[name], id = `${name}-wrong`;
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", [...described(field), id].join(" "));
      field.after(el("p", { class: "wrong", id }, errors[name].join(" ")));
    }
    if (!focus || !wrong.length) return;
    this.form.elements[wrong[0]].closest("details").open = true;
    this.form.elements[wrong[0]].focus();
  }

  /** Takes all that back. */
  clear() {
    NAMES.forEach((name) => this.#clear(name));
  }

  #clear(name) {
    const field = this.form.elements[name], id = `${name}-wrong`, others = described(field).filter((each) => each !== id);
    document.getElementById(id)?.remove();
    field.removeAttribute("aria-invalid");
    if (others.length) field.setAttribute("aria-describedby", others.join(" "));
    else field.removeAttribute("aria-describedby");
  }

  #label(name) {
    return this.form.elements[name]?.labels?.[0]?.textContent ?? name;
  }
}

const described = (field) => (field.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);
