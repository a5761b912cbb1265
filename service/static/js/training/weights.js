// Whether training workers can begin an encoder with its ImageNet weights, by what they say of themselves.

const ANY = "*";

/** Why a run that begins with these weights would be refused; null where it would not. `workers` are those of /v1/system. */
export function lackingWeights({ encoder, encoder_weights: weights }, workers) {
  if (!encoder || !weights) return null;
  const said = workers.map((each) => each.encoder_weights).filter((names) => names !== null && names !== undefined);
  const without = said.filter((names) => !names.includes(encoder) && !names.includes(ANY));
  if (!without.length) return null;
  return `A training worker has not the ImageNet weights of ${encoder}, and no network to fetch them by.`;
}
