// A point in time, as the reader has chosen to see times; the exact time in both zones is its tooltip.
import { html, signal } from "../vendor/preact.js";
import { clock, duration, exact, local, relative, secondsBetween, timeOfDay, utc } from "../lib/time.js";
import { remember, remembered } from "../lib/storage.js";

const MODES = ["relative", "local", "utc"];

export const timeMode = signal(remembered("times", MODES));

export function nextTimeMode() {
  timeMode.value = MODES[(MODES.indexOf(timeMode.value) + 1) % MODES.length];
  remember("times", timeMode.value);
}

const SHOWN = { relative: (at) => relative(at, clock.value), local, utc };

export function Time({ at, none = "–" }) {
  if (!at) return none;
  return html`<time datetime=${at} title=${exact(at)}>${SHOWN[timeMode.value](at)}</time>`;
}

/** The time between two points, or since one. */
export function Span({ from, to }) {
  return html`<span>${duration(secondsBetween(from, to ?? (clock.value && null)))}</span>`;
}

/** When something was sampled: no number without it. */
export function AsOf({ at }) {
  const inUtc = timeMode.value === "utc";
  return at && html`<span class="as-of">as of <time datetime=${at} title=${exact(at)}>
    ${timeOfDay(at, inUtc)}${inUtc && " UTC"}</time></span>`;
}
