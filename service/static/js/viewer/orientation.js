// Letters at the stage's edges: which way the patient lies, from the affine that leads from voxels to LPS millimetres.

import { svg } from "../dom.js";

const AXES = [["L", "R"], ["P", "A"], ["H", "F"]]; // towards larger and smaller values
const OBLIQUE = 0.35; // of a direction's length: from there on a second letter is worth it

/** The letters of a direction [left, back, head], the strongest first: [0.9, 0, 0.4] -> "LH". */
function letters(direction) {
  const length = Math.hypot(...direction);
  return direction
    .map((value, axis) => ({ share: Math.abs(value) / length, letter: AXES[axis][value > 0 ? 0 : 1] }))
    .filter(({ share }) => share > OBLIQUE)
    .sort((one, other) => other.share - one.share)
    .map(({ letter }) => letter)
    .join("");
}

const opposite = (text) => [...text].map((letter) => AXES.flatMap(([to, from]) => (letter === to ? from : letter === from ? to : [])).join("")).join("");

/** Shows them on the stage, and returns them in words; nothing where the file does not say how it lies. */
export function orientation(stage, affine) {
  if (!affine) return "";
  const [right, down] = [0, 1].map((axis) => letters([0, 1, 2].map((line) => affine[line][axis])));
  const texts = [[opposite(right), "start"], [right, "end"], [opposite(down), "middle"], [down, "middle"]].map(([text, anchor]) => svg("text", { "text-anchor": anchor }, text));
  stage.onScreen.append(svg("g", { class: "orientation" }, texts));
  const place = () => {
    const { clientWidth: w, clientHeight: h } = stage.node;
    [[10, h / 2], [w - 10, h / 2], [w / 2, 22], [w / 2, h - 10]].forEach(([x, y], index) => {
      texts[index].setAttribute("x", x);
      texts[index].setAttribute("y", y);
    });
  };
  stage.addEventListener("view", place);
  place();
  return `left edge ${opposite(right)}, right edge ${right}, top ${opposite(down)}, bottom ${down}`;
}
