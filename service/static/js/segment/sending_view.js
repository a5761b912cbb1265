// What is shown while an upload is on its way.

import { announce, button, el } from "../dom.js";
import { bytes, percent } from "../format.js";

/** {node, progress, paused} for an upload [{name, files}]. */
export function sendingView({ name, files }, cancel) {
  const size = bytes(files.reduce((sum, file) => sum + file.size, 0));
  const text = el("p", { role: "status" }, `Sending ${name} (${size})…`);
  const bar = el("progress", { "aria-label": `Upload of ${name}`, max: 1 }), again = el("div", {});
  return {
    node: el("div", { class: "card waiting" }, text, bar, again, button("Cancel", cancel, { kind: "quiet small" })),
    progress(share) {
      again.replaceChildren();
      text.textContent = share < 1 ? `Sending ${name}: ${percent(share, 0)} of ${size}` : `${name} was sent; segmenting…`;
      if (share < 1) bar.value = share;
      else bar.removeAttribute("value");
    },
    paused({ title }, seconds) {
      const words = `${title}. It may have been accepted. It is sent once more in ${seconds} s, which makes nothing twice.`;
      text.textContent = `${name}: waits to be sent once more.`;
      again.replaceChildren(el("div", { class: "notice warn" }, el("p", {}, words)));
      announce(words);
    },
  };
}
