// Brings a model in: an archive that this service, here or elsewhere, gave.

import { announce, el, problemBox, show, table } from "../dom.js";
import { may, page, upload, v1 } from "../api.js";
import { allMarked, field } from "../fields.js";

/** The form; `isKnown(id)` says whether a model was here before, `imported()` is called when one came in. */
export function importForm({ isKnown, imported }) {
  const file = el("input", { type: "file", id: "archive", accept: ".zip,application/zip" });
  const submit = el("button", { type: "submit", ...(may("admin") ? {} : { disabled: true, "aria-describedby": "needs-admin" }) }, "Import");
  const bar = el("progress", { max: "1", value: 0, "aria-label": "Sent" });
  const state = el("p", { class: "hint" }), progress = el("div", { hidden: true }, bar, state);
  const outcome = el("div", {});
  const archive = field(file, "Archive", "A zip of card.json and weights.safetensors, as “Download the archive” of a model gives it. Nothing in it can run.");
  const form = el("form", { novalidate: true, id: "import" }, archive,
    el("p", { class: "actions" }, submit), progress, outcome);
  const sent = (share) => {
    bar.value = share;
    state.textContent = share < 1 ? `Sending: ${Math.round(share * 100)} %` : "Sent. The card and the weights are checked.";
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    archive.wrong([]);
    show(outcome);
    if (!file.files.length) return allMarked({ file: ["Choose an archive first."] }, { file: archive });
    const data = new FormData();
    data.append("file", file.files[0]);
    submit.disabled = true;
    progress.hidden = false;
    sent(0);
    try {
      const card = await upload(v1("models"), data, { onProgress: sent });
      show(outcome, el("p", { class: "notice info" }, isKnown(card.id) ? "This very model was here before; nothing was changed: " : "Imported: ",
        el("a", { href: page(`models/${encodeURIComponent(card.id)}`) }, card.id), "."));
      announce(`${card.id} is here.`);
      form.reset();
      imported();
    } catch (problem) {
      if (!allMarked(problem.errors, { file: archive })) show(outcome, refusal(problem));
    } finally {
      submit.disabled = false;
      progress.hidden = true;
    }
  });
  return form;
}

/** Why the archive was refused, part by part. */
function refusal(problem) {
  const places = Object.entries(problem.errors ?? {});
  if (!places.length) return problemBox(problem);
  return el("div", {},
    problemBox({ ...problem, detail: "Nothing was imported.", errors: {} }),
    table("What is wrong with the archive", ["Where", "What"], places.map(([place, messages]) => [el("code", {}, place), messages.join(" ")])));
}
