// How the picture under the mask is shown: one of its channels, brighter, with more contrast. The result does not change.

import { button, el } from "../dom.js";

let count = 0;

/** Controls in a closed box; `shown` is called with {channel: null or 0..2, filter: a CSS filter} after each change. */
export function display(channels, shown) {
  count += 1;
  const sliders = ["brightness", "contrast"].map((name) => slider(name, () => tell()));
  const channel = channels === 3 && el("select", { id: `channel-${count}`, onchange: () => tell() },
    [["", "all, as colours"], ["0", "first (red)"], ["1", "second (green)"], ["2", "third (blue)"]].map(([value, name]) => el("option", { value }, name)));
  const tell = () => shown({
    channel: channel && channel.value ? Number(channel.value) : null,
    filter: sliders.map(({ name, input }) => `${name}(${input.value}%)`).join(" "),
  });
  const reset = button("Reset", () => {
    for (const { input } of sliders) input.value = 100;
    if (channel) channel.value = "";
    tell();
  }, { class: "second small" });
  return el("details", { class: "display" }, el("summary", {}, "Brightness, contrast", channel && ", channel"),
    el("div", { class: "controls" },
      sliders.map(({ node }) => node),
      channel && el("div", { class: "control" }, el("label", { for: channel.id }, "Channel"), channel),
      reset));
}

function slider(name, oninput) {
  const input = el("input", { type: "range", id: `${name}-${count}`, min: 20, max: 400, value: 100, oninput });
  return { name, input, node: el("div", { class: "control" }, el("label", { for: input.id }, name[0].toUpperCase() + name.slice(1)), input) };
}

/** Draws a picture into a context of its size; of one channel alone, in grey. */
export function drawImage(context, image, channel) {
  context.drawImage(image, 0, 0);
  if (channel === null) return;
  const data = context.getImageData(0, 0, image.width, image.height), bytes = data.data;
  for (let at = 0; at < bytes.length; at += 4) bytes.fill(bytes[at + channel], at, at + 3);
  context.putImageData(data, 0, 0);
}
