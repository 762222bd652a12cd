// Numbers, sizes, and texts that others wrote.

const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export const number = (value) => (value === null || value === undefined ? "–" : numbers.format(value));

/** Return "1 task", "2 tasks". */
export const count = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

/** Return a share of 1 in percent. It is never rounded up to 100 %, nor down to 0 %. */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  const value = share * 100;
  if (value > 99.9 && value < 100) return "> 99.9 %";
  if (value < 0.1 && value > 0) return "< 0.1 %";
  return `${numbers.format(value)} %`;
}

export function bytes(size) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let value = size;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${numbers.format(value)} ${units[unit]}`;
}

const COLOURS = /\u001b\[[0-9;]*m/g;
// controls, bidirectional overrides and isolates, zero-width spaces: whoever sees them is misled
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** Return a text with its invisible characters named, such as [U+202E], and without the codes of terminals. */
export function visible(text) {
  return String(text)
    .replace(/\r\n/g, "\n")
    .replace(COLOURS, "")
    .replace(HIDDEN, (sign) => `[U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
}

/** Return the end of an id, which tells tasks apart; its beginning is the time. */
export const shortId = (id) => `…${id.slice(-6)}`;

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

export const isId = (text) => UUID.test(text.trim());
