// Numbers, times and sizes as people read them.

const SIZES = ["bytes", "kB", "MB", "GB", "TB"];

/** 1234.5 -> "1,234.5"; null -> "–". */
export function number(value, digits = 1) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: Number.isInteger(value) ? 0 : digits });
}

/** 0.954 -> "95.4 %". */
export const percent = (share, digits = 1) => (share === null || share === undefined ? "–" : `${(share * 100).toFixed(digits)} %`);

/** 1234567 -> "1.2 MB". */
export function bytes(count) {
  let size = count, unit = 0;
  while (size >= 1000 && unit < SIZES.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit ? size.toFixed(1) : size} ${SIZES[unit]}`;
}

/** RFC 3339 -> the reader's own time, to the minute. */
export function time(text) {
  return text ? new Date(text).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }) : "–";
}

/** Seconds -> "45 s", "12 min", "3 h 20 min". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** RFC 3339 -> "3 min ago". */
export function ago(text) {
  if (!text) return "–";
  const seconds = (Date.now() - new Date(text)) / 1000;
  return seconds < 5 ? "just now" : `${duration(seconds)} ago`;
}

/** A name such as validation_dice -> "Validation dice". */
export function words(name) {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
