// A dialog that asks before something is done, and stays open with the reason when it could not be done.

import { busy, button, el, problemBox, show } from "./dom.js";

let opened = 0;

/**
 * Opens a dialog; resolves to whether `work` was done, false when it was left.
 *
 * `content` is shown between title and buttons; `action` names the button that starts `work`; `kind` is its class;
 * `leave` names the one that closes it.
 * `failed(problem)` may show an error at its fields and return true; otherwise it stands above the buttons.
 */
export function dialog({ title, content = [], action, kind = "", leave = "Cancel", work, failed = () => false }) {
  opened += 1;
  const heading = `dialog-${opened}`;
  const trouble = el("div", {});
  const submit = el("button", { type: "submit", class: kind }, action);
  const form = el("form", { novalidate: true }, el("h2", { id: heading }, title), content, trouble,
    el("p", { class: "actions" }, submit, button(leave, () => box.close())));
  const box = el("dialog", { "aria-labelledby": heading }, form);
  let done = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    show(trouble);
    await busy(submit, async () => {
      await work();
      done = true;
      box.close();
    }, (problem) => failed(problem) || show(trouble, problemBox(problem)));
  });
  return new Promise((resolve) => {
    box.addEventListener("close", () => {
      box.remove();
      resolve(done);
    });
    document.body.append(box);
    box.showModal();
  });
}
