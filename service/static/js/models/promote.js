// Promotion: the dialog that points an alias to a model, and the one that takes that back.

import { announce, el } from "../dom.js";
import { api, v1 } from "../api.js";
import { dialog } from "../dialog.js";
import { allMarked, choose, clearWrong, field } from "../fields.js";

const HOW = "Nothing stops meanwhile: what answers now goes on to answer until the new model is warm in every worker, which takes seconds. Slices that were accepted before keep their model.";

const point = (alias, model) => api(v1(`models/aliases/${encodeURIComponent(alias)}`), { method: "PUT", json: { model } });

/** Asks which alias shall point to which model; `models` are cards; resolves to whether something was changed. */
export function promote({ models, aliases, alias = "", model = "" }) {
  const name = el("input", { id: "promote-alias", list: "promote-aliases", value: alias, autocomplete: "off", spellcheck: "false" });
  const which = choose("promote-model", models.map((card) => [card.id, card.id]), model);
  const fields = {
    alias: field(name, "Alias", "An existing one is changed, a new one is made. Clients that name no model get “default”."),
    model: field(which, "Model that shall answer for it"),
  };
  const form = el("div", {}, fields.alias,
    el("datalist", { id: "promote-aliases" }, aliases.map((each) => el("option", { value: each.alias }))),
    fields.model, el("p", { class: "hint" }, HOW));
  return dialog({
    title: "Promote a model",
    content: form,
    action: "Promote",
    work: async () => {
      clearWrong(Object.values(fields));
      const wanted = name.value.trim();
      if (!wanted) throw Object.assign(new Error("An alias is needed."), { errors: { alias: ["Give the alias a name."] } });
      const made = await point(wanted, which.value);
      announce(made.ready ? `${made.alias}: ${made.model} answers.` : `${made.alias} points to ${made.model}; ${made.serving} answers until it is warm.`);
    },
    failed: (problem) => allMarked(problem.errors, fields),
  });
}

/** Points an alias back to where it pointed before. */
export function rollBack(alias) {
  return dialog({
    title: `Roll ${alias.alias} back to ${alias.previous}?`,
    content: el("p", {}, `${alias.serving} goes on to answer until ${alias.previous} is warm in every worker, which takes seconds. Slices that were accepted before keep their model. You can change it back in the same way.`),
    action: "Roll back",
    work: async () => {
      await point(alias.alias, alias.previous);
      announce(`${alias.alias} points back to ${alias.previous}.`);
    },
  });
}

/** Deletes an alias. */
export function removeAlias(alias) {
  return dialog({
    title: `Delete the alias ${alias.alias}?`,
    content: el("p", {}, `Who asks for ${alias.alias} is told then that there is no such model. The model ${alias.model} stays.`),
    action: "Delete the alias",
    kind: "danger",
    work: async () => {
      await api(v1(`models/aliases/${encodeURIComponent(alias.alias)}`), { method: "DELETE" });
      announce(`The alias ${alias.alias} is deleted.`);
    },
  });
}
