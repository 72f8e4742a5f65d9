/** Owns the difference of two texts, line by line. */

/** Gives the lines of both texts in order: `[' ', line]` in both, `['-', line]` only before, `['+', line]` only after. */
export function difference(before, after) {
  const [old, now] = [before.split('\n'), after.split('\n')];
  // common[i][j]: the length of the longest common sequence of old from i on and now from j on.
  const common = Array.from({ length: old.length + 1 }, () => new Uint16Array(now.length + 1));
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      const longer = Math.max(common[i + 1][j], common[i][j + 1]);
      common[i][j] = old[i] === now[j] ? common[i + 1][j + 1] + 1 : longer;
    }
  }
  const lines = [];
  for (let i = 0, j = 0; i < old.length || j < now.length; ) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      lines.push([' ', old[i++]]);
      j++;
    } else if (j >= now.length || (i < old.length && common[i + 1][j] >= common[i][j + 1])) {
      lines.push(['-', old[i++]]);
    } else {
      lines.push(['+', now[j++]]);
    }
  }
  return lines;
}
