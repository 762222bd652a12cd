// Times and durations as texts. The server's clock decides; a duration is never negative.
import { signal } from "../vendor/preact.js";
import { skew } from "./api.js";

/** The server's time in milliseconds, once a second while the page is visible. */
export const clock = signal(Date.now());

export const now = () => Date.now() + skew.value;

setInterval(() => document.hidden || (clock.value = now()), 1000);
document.addEventListener("visibilitychange", () => document.hidden || (clock.value = now()));

/** Return the seconds from one time to another, or to now; null if it has not begun. */
export function secondsBetween(from, to = null) {
  if (!from) return null;
  const end = to ? Date.parse(to) : Math.max(clock.value, now());
  return Math.max(0, (end - Date.parse(from)) / 1000);
}

/** Return a duration in seconds as people say it: 12 ms, 3.4 s, 2 min 5 s, 3 h 20 min, 4 d 2 h. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const s = Math.max(0, seconds);
  if (s < 0.0005) return "0 s";
  if (s < 0.9995) return `${Math.round(s * 1000)} ms`;
  if (s < 9.95) return `${(Math.round(s * 10) / 10).toFixed(1)} s`;
  if (s < 59.5) return `${Math.round(s)} s`;
  if (s < 3570) return pair(s, 60, "min", 1, "s");
  if (s < 86_400) return pair(s, 3600, "h", 60, "min");
  return pair(s, 86_400, "d", 3600, "h");
}

function pair(seconds, large, largeName, small, smallName) {
  const parts = Math.round(seconds / small);
  const most = large / small;
  const rest = parts % most;
  return `${Math.floor(parts / most)} ${largeName}${rest ? ` ${rest} ${smallName}` : ""}`;
}

/** Return how long ago a time is, or how long until it comes. Below a minute it moves every 10 s. */
export function relative(at, from = clock.value) {
  const seconds = (Date.parse(at) - from) / 1000;
  const size = Math.abs(seconds);
  if (size < 10) return seconds > 2 ? "in a moment" : "just now";
  const text = size < 60 ? `${Math.floor(size / 10) * 10} s` : coarse(size);
  return seconds < 0 ? `${text} ago` : `in ${text}`;
}

function coarse(seconds) {
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

const SHORT = { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" };
const EXACT = { ...SHORT, fractionalSecondDigits: 3, timeZoneName: "short", hourCycle: "h23" };
const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };

/** Return what formats a time; to make one takes longer than to use it a hundred times. */
function formatter(options, timeZone) {
  const format = new Intl.DateTimeFormat("en-GB", { ...options, timeZone });
  return (at) => format.format(new Date(at));
}

const [shortLocal, shortUtc, exactLocal, exactUtc, clockLocal, clockUtc] = [SHORT, EXACT, CLOCK].flatMap((options) => [
  formatter(options),
  formatter(options, "UTC"),
]);

export const local = shortLocal;
export const utc = (at) => `${shortUtc(at)} UTC`;

/** Return the time of the day, in the zone of this browser or in UTC. */
export const timeOfDay = (at, inUtc) => (inUtc ? clockUtc(at) : clockLocal(at));

/** Return the exact time in the zone of this browser, and in UTC. */
export const exact = (at) => `${exactLocal(at)} · ${exactUtc(at)}`;

/** Return the name of this browser's zone as short as there is one, such as UTC+1. */
export function zoneName() {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "shortOffset" }).formatToParts(new Date());
  return parts.find((part) => part.type === "timeZoneName").value.replace("GMT", "UTC");
}
