// Every file that the API offers of a result, with a word on what it is for.

import { el } from "../dom.js";

function query(link, options) {
  const at = new URL(link, location.href);
  for (const [name, value] of Object.entries(options)) if (value !== null && value !== undefined) at.searchParams.set(name, value);
  return at.pathname + at.search;
}

/** The list of downloads; `state` is the viewer's, so that the overlay comes as it is shown. */
export function downloads(job, state) {
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
  return el("ul", { class: "downloads" }, entries.map(([text, href, file]) => el("li", {}, el("a", { href, download: file }, text))));
}
