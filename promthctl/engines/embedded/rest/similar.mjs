// "Perhaps you meant": the most similar of some names, by PostgREST's measure (shared letter groups, then edits).

const normal = (text) => `-${text.toLowerCase().replace(/[^\p{L}\p{N}_ ,]/gu, "")}-`;

const groups = (text, size) =>
  new Set(Array.from({ length: Math.max(text.length - size + 1, 0) }, (_, i) => text.substr(i, size)));

function edits(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

/** The name most like `wanted`, undefined when none reaches the score (0 to 1). exact: whether it may be itself. */
export function similar(names, wanted, { least = 0.33, exact = true } = {}) {
  const own = wanted.toLowerCase();
  for (const size of [3, 2]) {
    const grams = groups(normal(wanted), size);
    const scored = [...names]
      .filter((name) => [...groups(normal(name), size)].some((gram) => grams.has(gram)))
      .map((name) => [1 - edits(name.toLowerCase(), own) / Math.max(name.length, own.length), name])
      .filter(([score]) => exact || score < 1)
      .sort(([a], [b]) => b - a);
    if (scored.length > 0) return scored[0][0] >= least ? scored[0][1] : undefined;
  }
  return undefined;
}
