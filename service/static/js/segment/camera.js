// A picture from a camera, as a demonstration only: a photograph of a screen is no MRI.

import { announce, button, el, problemBox } from "../dom.js";

/** Opens a dialog with the camera's picture; resolves to a File, or null. */
export function takePicture() {
  return new Promise((resolve) => {
    const video = el("video", { autoplay: true, playsinline: true, muted: true, "aria-label": "What the camera sees" });
    const trouble = el("div", {});
    const take = button("Take the picture", () => capture(video).then((file) => finish(file)), { kind: "", disabled: true });
    const dialog = el("dialog", { class: "camera", "aria-labelledby": "camera-title", onclose: () => finish(null) },
      el("h2", { id: "camera-title" }, "Camera (demonstration)"),
      el("p", { class: "notice warn" }, "A demonstration only. A photograph of a screen or a film is not an MRI: what is found in it means nothing."),
      video, trouble,
      el("div", { class: "actions" }, take, button("Close", () => dialog.close())));
    let stream = null, done = false;
    const finish = (file) => {
      if (done) return;
      done = true;
      stream?.getTracks().forEach((track) => track.stop());
      dialog.remove();
      resolve(file);
    };
    document.body.append(dialog);
    dialog.showModal();
    open().then((opened) => {
      if (done) return opened.getTracks().forEach((track) => track.stop());
      stream = opened;
      video.srcObject = opened;
      video.addEventListener("loadeddata", () => { take.disabled = false; take.focus(); }, { once: true });
      return undefined;
    }).catch((error) => {
      const why = { NotAllowedError: "The browser was not allowed to use the camera.", NotFoundError: "No camera was found." };
      trouble.replaceChildren(problemBox({ title: "No camera", detail: why[error.name] ?? "Cameras need https or localhost, and a browser that allows them." }));
      announce("No camera");
    });
  });
}

function open() {
  if (!navigator.mediaDevices) return Promise.reject(new Error("insecure"));
  return navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1024 }, height: { ideal: 1024 } } });
}

async function capture(video) {
  const canvas = el("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  return new File([blob], "camera.png", { type: "image/png" });
}
