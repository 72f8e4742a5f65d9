/**
 * Owns how long something took, and how long ago it was, in words.
 */

/** Returns a span of seconds in at most two units: `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function span(seconds: number): string {
  if (seconds < 1) {
    return `${String(Math.max(0, Math.round(seconds * 1000)))} ms`;
  }
  const whole = Math.round(seconds);
  const units: [string, number][] = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
  const first = units.findIndex(([, size]) => whole >= size);
  let left = whole;
  const parts: string[] = [];
  for (const [name, size] of units.slice(first, first + 2)) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) {
      parts.push(`${String(count)} ${name}`);
    }
  }
  return parts.join(' ');
}

/** Returns when something was, as people say it on the same day and on another. `seconds` are since the epoch. */
export function moment(seconds: number, now: Date): string {
  const then = new Date(seconds * 1000);
  const time = then.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  const isToday = then.toDateString() === now.toDateString();
  return isToday ? time : `${then.toLocaleDateString([], { day: 'numeric', month: 'short' })}, ${time}`;
}
