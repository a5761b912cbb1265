// Asks again and again: soon while something is going on, seldom otherwise, not at all while nobody looks.

const SOON_MS = 2500, SELDOM_MS = 15_000, TROUBLE_MS = 6000;

/** Calls `load` now and later; it resolves to whether something is going on. Returns a function that asks at once. */
export function keepFresh(load) {
  let timer = null, running = false, again = false;
  const turn = async () => {
    clearTimeout(timer);
    if (running) {
      again = true;
      return;
    }
    running = true;
    let wait = TROUBLE_MS;
    try {
      wait = (await load()) ? SOON_MS : SELDOM_MS;
    } finally {
      running = false;
      if (again) wait = 0;
      again = false;
      timer = setTimeout(() => (document.hidden ? null : turn()), wait);
    }
  };
  document.addEventListener("visibilitychange", () => document.hidden || turn());
  turn();
  return turn;
}
