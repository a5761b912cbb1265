// What will be sent: the changes in words, the request for those who would rather send it themselves, and the button.

import { v1 } from "../api.js";
import { el } from "../dom.js";
import { showOnce } from "./keyed_rows.js";
import { label, said } from "./specification.js";

/** The summary: {node, submit, update({recipe, body, changed, before})}. */
export function runSummary() {
  const changes = el("div", {}), json = el("pre", { tabindex: "0", role: "region", "aria-label": "The request as JSON" });
  const curl = el("pre", { tabindex: "0", role: "region", "aria-label": "The request as a command" });
  // above the changes: a list that grows must not push it away from under the pointer
  const submit = el("button", { type: "submit" }, "Start training");
  const copied = el("span", { class: "hint", role: "status" });
  const node = el("section", { class: "card summary", "aria-labelledby": "summary-title" },
    el("h2", { id: "summary-title" }, "What will be sent"), submit, changes,
    el("details", {}, el("summary", {}, "As JSON and curl"), json, curl,
      el("div", { class: "actions" }, copyButton("Copy JSON", json, copied), copyButton("Copy curl", curl, copied), copied)));
  return {
    node,
    submit,
    update({ recipe, body, changed, before }) {
      const text = JSON.stringify(body, null, 2);
      if (json.textContent === text) return;
      json.textContent = text;
      curl.textContent = `curl -X POST ${new URL(v1("training-runs"), location.href)} \\\n  -H 'Content-Type: application/json' \\\n  -d '${text.replaceAll("'", "'\\''")}'`;
      showOnce(changes, text, () => inWords(recipe, changed, before));
    },
  };
}

function inWords(recipe, changed, before) {
  const places = Object.entries(changed);
  const from = recipe ? `the recipe ${recipe}` : "the defaults";
  if (!places.length) return el("p", {}, `You change nothing: ${from} as it is.`.replace("defaults as it is", "defaults as they are"));
  return [
    el("p", {}, `You change, of ${from}:`),
    el("ul", { class: "changes" }, places.map(([place, value]) => el("li", {}, el("strong", {}, label(place)), ` ${said(value)} `,
      before(place) !== undefined && before(place) !== "" && el("span", { class: "hint" }, `instead of ${said(before(place))}`)))),
  ];
}

function copyButton(text, source, copied) {
  return el("button", {
    type: "button",
    class: "second small",
    onclick: async () => {
      try {
        await navigator.clipboard.writeText(source.textContent);
        copied.textContent = "Copied.";
      } catch {
        // only over https or on this machine; the text can still be selected
        getSelection().selectAllChildren(source);
        copied.textContent = "Selected: copy it with your keyboard.";
      }
    },
  }, text);
}
