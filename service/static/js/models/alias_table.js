// The aliases as a table: where each points, what answers, and the buttons that change it.

import { button, chip, el } from "../dom.js";
import { may, page } from "../api.js";
import { stackTable } from "../stack_table.js";
import { promote, removeAlias, rollBack } from "./promote.js";

const DEFAULT = "default";
const HEAD = ["Alias", "Points to", "Answers now", "State", "Before that", "Change"];

const link = (model) => el("a", { href: page(`models/${encodeURIComponent(model)}`) }, model);

/** The table; `changed()` is called after each change. */
export function aliasTable(aliases, models, changed) {
  const after = (change, id) => async () => {
    if (await change()) changed();
    // the table may have been drawn anew behind the dialog
    document.getElementById(id)?.focus();
  };
  const forbidden = !may("admin");
  const reason = forbidden ? { disabled: true, "aria-describedby": "needs-admin" } : {};
  const act = (text, name, alias, kind, change) =>
    button(text, after(change, `${name}-${alias.alias}`), { kind: `${kind} small`, id: `${name}-${alias.alias}`, "aria-label": `${text.replace("…", "")}: ${alias.alias}`, ...reason });
  const rows = aliases.map((alias) => [
    el("code", {}, alias.alias),
    link(alias.model),
    link(alias.serving),
    alias.ready ? chip("ready", "ok") : chip("warming up", "busy"),
    alias.previous ? link(alias.previous) : "–",
    el("div", { class: "actions" },
      act("Promote…", "promote", alias, "second", () => promote({ models, aliases, alias: alias.alias, model: alias.model })),
      alias.previous && act(`Roll back to ${alias.previous}`, "back", alias, "second", () => rollBack(alias)),
      alias.alias !== DEFAULT && act("Delete…", "remove", alias, "quiet", () => removeAlias(alias))),
  ]);
  return el("div", {}, stackTable("Aliases", HEAD, rows),
    aliases.some((alias) => !alias.ready) && el("p", { class: "hint" },
      "A model warms up within seconds where an inference worker runs. If it does not, look at the ",
      el("a", { href: page("system") }, "workers"), ": the log of one that cannot load a model says why."));
}
