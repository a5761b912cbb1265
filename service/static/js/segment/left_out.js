// What is said of files that were not sent, because they hold no image.

const MOST_NAMED = 5;

/** A sentence about files by name, and about how many more systems left there; "" for none. */
export function leftOutWords(names, hidden) {
  if (!names.length && !hidden) return "";
  const parts = names.length > MOST_NAMED ? byEnding(names) : names;
  const strays = hidden && `${hidden} hidden or system ${hidden === 1 ? "file" : "files"}`;
  const why = names.length + hidden === 1 ? "it is no image that is taken" : `these ${names.length + hidden} are no images that are taken`;
  return `Left out, because ${why}: ${[...parts, strays].filter(Boolean).join(", ")}.`;
}

/** ["7 .html", "1 without ending"]: the most frequent first. */
function byEnding(names) {
  const counts = new Map();
  for (const name of names) {
    const ending = /\.[^.\s]{1,8}$/.exec(name)?.[0].toLowerCase() ?? "without ending";
    counts.set(ending, (counts.get(ending) ?? 0) + 1);
  }
  return [...counts].sort((one, other) => other[1] - one[1]).map(([ending, count]) => `${count} ${ending}`);
}
