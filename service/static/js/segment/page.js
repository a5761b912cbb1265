// The page that segments: drop, pick, paste, camera, examples; then results beside each other, and the recent ones.

import { Problem, picture } from "../api.js";
import { announce, need, problemBox, show } from "../dom.js";
import { takePicture } from "./camera.js";
import { droppedFiles, pastedFiles, uploadsOf } from "./files.js";
import { Queue } from "./queue.js";
import { recent } from "./recent.js";

const form = need("#upload"), zone = need("#drop"), input = need("#image"), trouble = need("#trouble");
const queue = new Queue(need("#uploads"), need("#shown"), { onEnded: refresh });
let refreshing = 0;

/** Shows the recent results anew; of many that end together, once. */
function refresh() {
  clearTimeout(refreshing);
  refreshing = setTimeout(() => recent(need("#recent")), 250);
}

/** The options of the form, without files. */
function fields() {
  return Object.fromEntries(["model", "threshold", "pixel_spacing_mm", "slice_spacing_mm"].map((name) => [name, form.elements[name].value.trim()]));
}

function add(uploads) {
  trouble.replaceChildren();
  if (!uploads.length) {
    show(trouble, problemBox({ title: "No file", detail: "Choose, drop or paste an image, or try an example." }));
    return;
  }
  announce(uploads.length > 1 ? `${uploads.length} images are sent` : `${uploads[0].name} is sent`);
  queue.add(uploads, fields());
}

const addFiles = async (files) => add(await uploadsOf(files));

/** Volumes of several sequences, as one upload: each field with its files. */
function sequences() {
  const modalities = Object.fromEntries([...form.querySelectorAll("[data-modality]")].filter((each) => each.files.length).map((each) => [each.name, [...each.files]]));
  const files = Object.values(modalities).flat();
  return files.length ? [{ name: `${Object.keys(modalities).length} sequences`, files, modalities }] : [];
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const several = sequences();
  if (several.length) add(several);
  else await addFiles([...input.files]);
});
input.addEventListener("change", async () => {
  if (!input.files.length) return;
  await addFiles([...input.files]);
  input.value = ""; // so that the same file can be chosen again
});

let over = 0; // the pointer enters a child before it leaves the parent
const dragged = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
document.addEventListener("dragenter", (event) => dragged(event) && zone.classList.toggle("over", (over += 1) > 0));
document.addEventListener("dragleave", (event) => dragged(event) && zone.classList.toggle("over", (over -= 1) > 0));
document.addEventListener("dragover", (event) => dragged(event) && event.preventDefault());
document.addEventListener("drop", async (event) => {
  if (!dragged(event)) return;
  event.preventDefault();
  over = 0;
  zone.classList.remove("over");
  await addFiles(await droppedFiles(event.dataTransfer));
});
document.addEventListener("paste", async (event) => {
  const files = pastedFiles(event.clipboardData);
  if (!files.length) return;
  event.preventDefault();
  await addFiles(files);
});

const camera = need("#camera");
camera.hidden = false;
camera.addEventListener("click", async () => {
  const file = await takePicture();
  if (file) add([{ name: "Camera (demonstration)", files: [file] }]);
});

for (const example of document.querySelectorAll("[data-example]")) {
  example.addEventListener("click", async (event) => {
    event.preventDefault();
    try {
      const blob = await picture(example.href);
      add([{ name: example.dataset.example, files: [new File([blob], example.dataset.example)] }]);
    } catch (error) {
      show(trouble, problemBox(error instanceof Problem ? error : { title: "This did not work", detail: String(error) }));
    }
  });
}

recent(need("#recent"));
