// Builds the document: elements, live announcements, and the few patterns that all pages share.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An HTML element; attributes that are null or false are left out, `on…` are listeners, children may be nested lists. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** The one element of this selector; a page without it is a mistake of ours. */
export function need(selector, root = document) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`no ${selector} here`);
  return found;
}

/** Shows `children` in `node` instead of what it showed. */
export function show(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter(Boolean));
}

/** The same; a focus that would be lost with what stood there goes to `heading`. */
export function swap(node, heading, ...children) {
  const lost = node.contains(document.activeElement);
  show(node, ...children);
  if (lost) heading.focus();
}

/** Says something to screen readers, without moving the focus. */
export function announce(text) {
  need("#announcer").textContent = text;
}

/** A box with an error: what it is, what to do, and buttons such as "Try again". */
export function problemBox(problem, ...actions) {
  const fields = Object.entries(problem.errors ?? {});
  return el("div", { class: "notice bad", role: "alert" },
    el("p", {}, el("strong", {}, `${problem.title ?? "Something went wrong"}. `), problem.detail ?? problem.message),
    fields.length > 0 && el("ul", {}, fields.map(([field, messages]) =>
      el("li", {}, el("strong", {}, `${field}: `), messages.join(" ")))),
    problem.signIn && el("p", {}, el("a", { href: problem.signIn, target: "_blank" }, "Sign in in a new tab"), ", then try again here."),
    problem.reference && el("p", { class: "hint" }, `${problem.status} · ${problem.code} · reference ${problem.reference}`),
    actions.length > 0 && el("p", { class: "actions" }, actions));
}

/** A quiet box for a list without entries. */
export function emptyBox(text, ...more) {
  return el("div", { class: "empty" }, el("p", {}, text), ...more);
}

/** A placeholder while something loads. */
export function loadingBox(text = "Loading…") {
  return el("div", { class: "loading", role: "status" }, el("span", { class: "spinner", "aria-hidden": "true" }), text);
}

/** A small label in a colour of its own: ok, bad, warn, busy or plain. */
export function chip(text, kind = "plain") {
  return el("span", { class: `chip ${kind}` }, text);
}

/** A table in a box that scrolls sideways by itself; `rows` are lists of cells (text or nodes), the first one heads its row. */
export function table(label, head, rows) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    el("table", {},
      el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, rows.map(([first, ...cells]) =>
        el("tr", {}, el("th", { scope: "row" }, first), cells.map((cell) => el("td", {}, cell)))))));
}

/** A button; `kind` is a class: "" (the main one), "second", "quiet" (red, removes something) or "link". */
export function button(text, onclick, { kind = "second", ...attributes } = {}) {
  return el("button", { type: "button", class: kind, onclick, ...attributes }, text);
}

/** Runs `work` while the button is disabled; a failure is shown by `failed`. */
export async function busy(node, work, failed) {
  node.disabled = true;
  try {
    return await work();
  } catch (error) {
    failed(error);
    return undefined;
  } finally {
    node.disabled = false;
  }
}
