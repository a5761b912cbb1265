// The page of one result: the same viewer, instead of the pictures that stand there without JavaScript.

import { api, page } from "../api.js";
import { button, need, problemBox, show } from "../dom.js";
import { JobView } from "./job_view.js";

const place = need("#result");

async function start() {
  try {
    const job = await api(place.dataset.job);
    new JobView(place, job, { onDeleted: () => location.assign(page("results")) });
  } catch (error) {
    show(place, problemBox(error, button("Try again", start)));
  }
}

start();
