// Fetches pictures with the reason where there is none, which <img> alone does not tell.

import { picture } from "../api.js";

/** The picture at this address as a data: URL, which the pages' policy allows in <img>. Throws Problem. */
export async function pictureSource(address) {
  const blob = await picture(address);
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
