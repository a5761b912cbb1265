// Every file that the API offers of a result, and the mask of another threshold as it is on the screen.

import { button, el } from "../dom.js";
import { number } from "../format.js";

function query(link, options) {
  const at = new URL(link, location.href);
  for (const [name, value] of Object.entries(options)) if (value !== null && value !== undefined) at.searchParams.set(name, value);
  return at.pathname + at.search;
}

/** A mask (1 is tumour) as a PNG of 0 and 255. */
export function maskPicture(mask, { width, height }) {
  const canvas = new OffscreenCanvas(width, height), context = canvas.getContext("2d");
  const data = context.createImageData(width, height), out = new Uint32Array(data.data.buffer);
  for (let at = 0; at < out.length; at += 1) out[at] = mask[at] === 1 ? 0xffffffff : 0xff000000;
  context.putImageData(data, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

async function save(make, name) {
  const href = URL.createObjectURL(await make());
  el("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

/**
 * The list of downloads; `state` is the viewer's, so that the overlay comes in its colour and strength.
 *
 * The files are those of the result's own threshold; `asShown` makes the mask of another one, or is null.
 */
export function downloads(job, state, asShown) {
  const { links } = job, volume = "slices" in job.image;
  const slice = volume ? state.index : null, of = volume ? ` of slice ${slice}` : "";
  const name = (kind, ending) => `${kind}-${job.id}${volume ? `-${slice}` : ""}.${ending}`;
  const painted = { slice, opacity: state.opacity, outline: state.view === "outline", color: links.labels ? null : state.color.slice(1), modality: state.modality };
  const entries = [
    ["Result with run lengths (JSON)", links.self, `segmentation-${job.id}.json`],
    ["Result with PNG masks (JSON)", query(links.self, { mask_format: "png" }), `segmentation-png-${job.id}.json`],
    links.segmentation && ["DICOM SEG, for a PACS", links.segmentation, `segmentation-${job.id}.dcm`],
    links.nifti && ["Mask (NIfTI)", links.nifti, `mask-${job.id}.nii.gz`],
    [`Overlay${of} (PNG)`, query(links.overlay, painted), name("overlay", "png")],
    [`Mask${of} (PNG)`, query(links.mask, { slice }), name("mask", "png")],
    links.labels && [`Classes${of} (PNG)`, query(links.labels, { slice }), name("labels", "png")],
    [`Probability${of} (PNG, 8 bit)`, query(links.probability, { slice }), name("probability", "png")],
    [`Image${of} (PNG)`, query(links.image, { slice, modality: state.modality }), name("image", "png")],
    links.montage && ["Overview of the slices (PNG)", links.montage, `montage-${job.id}.png`],
    ["Contours in pixels (GeoJSON)", links.contours, `contours-${job.id}.geojson`],
    job.image.affine && ["Contours in patient millimetres (GeoJSON)", query(links.contours, { coordinates: "patient" }), `contours-mm-${job.id}.geojson`],
  ].filter(Boolean);
  const list = el("ul", { class: "downloads" }, entries.map(([text, href, file]) => el("li", {}, el("a", { href, download: file }, text))));
  if (!asShown) return list;
  return [
    el("p", { class: "notice warn" }, `These files are of the result's own threshold, ${number(job.result.threshold, 3)}, and not of the one that is shown. `,
      button(`Mask as it is shown${of} (PNG)`, () => save(asShown, name("mask-as-shown", "png")), { kind: "second small" })),
    list,
  ];
}
