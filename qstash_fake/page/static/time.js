// Times and durations for people, and where the lines of an axis stand. Knows milliseconds, nothing of messages.

const UNITS = [
  ["d", 86400000],
  ["h", 3600000],
  ["m", 60000],
  ["s", 1000],
  ["ms", 1],
];

// Distances between the lines of an axis, in units that people count in.
const STEPS = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  ...[1, 2, 5, 10, 15, 30].map((s) => s * 1000),
  ...[1, 2, 5, 10, 15, 30].map((m) => m * 60000),
  ...[1, 2, 3, 6, 12].map((h) => h * 3600000),
  ...[1, 2, 7, 14, 30, 60, 90, 180, 365, 730, 1825, 3650].map((d) => d * 86400000),
];

// The shortest compound, of two units at most: 148000 is "2m28s".
export function duration(ms, most = 2) {
  if (Math.abs(ms) < 1) return "0s";
  const parts = [];
  let rest = Math.round(Math.abs(ms));
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(`${count}${unit}`);
    if (parts.length === most) break;
  }
  return (ms < 0 ? "-" : "") + parts.join("");
}

// "2026-01-01 00:05:12", with milliseconds where there are some. All times are UTC.
export function moment(ms) {
  if (ms === null || ms === undefined) return "";
  const text = new Date(ms).toISOString();
  return text.slice(0, 10) + " " + text.slice(11, text.endsWith(".000Z") ? 19 : 23);
}

export function relative(ms, now) {
  const gap = ms - now;
  return gap === 0 ? "now" : gap > 0 ? `in ${duration(gap)}` : `${duration(-gap)} ago`;
}

// Return the lines of an axis between *from* and *to* that is *width* pixels wide: whole steps since *zero*.
export function ticks(from, to, width, zero) {
  const least = ((to - from) / Math.max(width, 1)) * 84;
  const step = STEPS.find((one) => one >= least) ?? Math.ceil(least / STEPS.at(-1)) * STEPS.at(-1);
  const lines = [];
  for (let at = zero + Math.ceil((from - zero) / step) * step; at <= to; at += step) lines.push(at);
  return lines;
}
