// The page of one result: the same viewer, instead of the pictures that stand there without JavaScript.

import { api, page } from "../api.js";
import { button, el, need, problemBox, swap } from "../dom.js";
import { JobView } from "./job_view.js";

const place = need("#result"), heading = need("#result-title");

async function start() {
  try {
    const job = await api(place.dataset.job);
    new JobView(place, job, {
      heading,
      onDeleted: () => location.assign(page("results#deleted")), // which says so
      onGone: () => [el("a", { class: "button second small", href: page("results") }, "All results")],
    });
  } catch (error) {
    swap(place, heading, problemBox(error, button("Try again", start)));
  }
}

start();
