/** A line of a text that was edited. */
export interface Line {
  readonly kind: 'same' | 'added' | 'removed';
  readonly text: string;
}

/** What an edit changed, line by line: the longest common subsequence stays, the rest was removed or added. */
export function diff(before: string, after: string): Line[] {
  const [a, b] = [before.split('\n'), after.split('\n')];
  const common = lengths(a, b);
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [old, now] = [a[i], b[j]];
    if (old !== undefined && old === now) {
      lines.push({ kind: 'same', text: old });
      i++;
      j++;
    } else if (old !== undefined && (now === undefined || (common[i + 1]?.[j] ?? 0) >= (common[i]?.[j + 1] ?? 0))) {
      lines.push({ kind: 'removed', text: old });
      i++;
    } else {
      lines.push({ kind: 'added', text: now ?? '' });
      j++;
    }
  }
  return lines;
}

/** How many lines two texts have in common from each pair of lines on. */
function lengths(a: readonly string[], b: readonly string[]): Uint16Array[] {
  const table = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const [here, below] = [table[i], table[i + 1]];
      if (!here || !below) continue;
      here[j] = a[i] === b[j] ? (below[j + 1] ?? 0) + 1 : Math.max(below[j] ?? 0, here[j + 1] ?? 0);
    }
  }
  return table;
}

/** The changed lines, each with a few around it; what lies between is left out. */
export function around(lines: readonly Line[], context = 2): (Line | undefined)[] {
  const near = (i: number) => lines.slice(Math.max(0, i - context), i + context + 1).some(line => line.kind !== 'same');
  const shown: (Line | undefined)[] = [];
  lines.forEach((line, i) => {
    if (near(i)) shown.push(line);
    else if (shown.length > 0 && shown.at(-1) !== undefined) shown.push(undefined);
  });
  if (shown.at(-1) === undefined) shown.pop();
  return shown;
}
