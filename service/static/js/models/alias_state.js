// The state of the aliases, asked again until each of them answers with the model that it points to.

import { api, pause, Problem, v1 } from "../api.js";

const EVERY_MS = 1500, CALM_MS = 15_000;

/** Tells `onChange(aliases)` at once and after each change, as long as the page is open; returns a function that asks now. */
export function watchAliases(onChange, trouble = () => {}) {
  const wake = new EventTarget();
  watch(onChange, trouble, wake);
  return () => wake.dispatchEvent(new Event("now"));
}

async function watch(onChange, trouble, wake) {
  let last = "";
  for (;;) {
    let waiting = false;
    try {
      const { items } = await api(v1("models/aliases"));
      trouble(null);
      const now = JSON.stringify(items);
      if (now !== last) onChange(items);
      last = now;
      waiting = items.some((alias) => !alias.ready);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      trouble(error);
    }
    await rest(waiting ? EVERY_MS : CALM_MS, wake);
  }
}

/** Waits, but not longer than until somebody changed something. */
function rest(ms, wake) {
  const end = new AbortController();
  wake.addEventListener("now", () => end.abort(), { once: true });
  return pause(ms, end.signal).catch(() => {});
}

/** What an alias does now, in words. */
export function inWords(alias) {
  return alias.ready ? `${alias.model} answers.` : `${alias.serving} answers until ${alias.model} is warm in every worker.`;
}
