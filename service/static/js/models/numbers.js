// Measured numbers as people read them: shares with three digits, intervals, amounts with their unit.

const MINUS = "\u2212";
const UNITS = { mm2: "mm²", mm: "mm", pixels: "pixels" };

/** 0.89812 -> "0.898"; null -> "–". */
export function fixed(value, digits = 3) {
  return Number.isFinite(value) ? value.toFixed(digits).replace("-", MINUS) : "–";
}

/** 1234.5 -> "1,235", 12.345 -> "12.3": three digits, whole numbers from a hundred on. */
export function amount(value) {
  if (!Number.isFinite(value)) return "–";
  const text = Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
  return text.replace("-", MINUS);
}

/** [0.87, 0.92] -> "0.870 to 0.920"; "" where there is no interval. */
export function interval(ci95, write = fixed) {
  return ci95 ? `${write(ci95[0])} to ${write(ci95[1])}` : "";
}

/** p as the report writes it. */
export function probability(p) {
  if (p === null || p === undefined) return "–";
  return p < 0.001 ? "< 0.001" : p.toFixed(p < 0.1 ? 3 : 2);
}

/** mm2 -> mm². */
export const unit = (name) => UNITS[name] ?? name ?? "";

/** 1 -> "1 patient", 2 -> "2 patients". */
export const count = (n, one) => `${n.toLocaleString("en")} ${n === 1 ? one : `${one}s`}`;
