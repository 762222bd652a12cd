// A status or an outcome: an icon, a word and a colour, so that none of them carries the meaning alone.
import { html } from "../vendor/preact.js";

const LOOKS = {
  scheduled: ["later", "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM8 4v4.2l2.8 1.7"],
  queued: ["plain", "M2.5 4.5h11M2.5 8h11M2.5 11.5h7"],
  blocked: ["warn", "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM4.5 8h7"],
  active: ["busy", "M5 3l7.5 5L5 13z"],
  retrying: ["warn", "M13.5 8a5.5 5.5 0 1 1-1.8-4.1M12 1.2v3h-3"],
  completed: ["good", "M2.5 8.5l3.7 3.7L13.5 4.5"],
  failed: ["bad", "M3.5 3.5l9 9M12.5 3.5l-9 9"],
  cancelled: ["plain", "M3.5 3.5h9v9h-9z"],
  timed_out: ["bad", "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM8 4v4.2l2.8 1.7"],
  crashed: ["bad", "M9 1.5L3.5 9H8l-1 5.5L12.5 7H8z"],
  released: ["plain", "M3 8h9.5M9 4.5L12.5 8 9 11.5"],
  snoozed: ["later", "M4 4h8L4 12h8"],
  running: ["busy", "M5 3l7.5 5L5 13z"],
  draining: ["warn", "M5 3v10M11 3v10"],
  paused: ["warn", "M5 3v10M11 3v10"],
  stopped: ["plain", "M3.5 3.5h9v9h-9z"],
  lost: ["bad", "M3.5 3.5l9 9M12.5 3.5l-9 9"],
  ok: ["good", "M2.5 8.5l3.7 3.7L13.5 4.5"],
  late: ["warn", "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM8 4v4.2l2.8 1.7"],
  failing: ["bad", "M3.5 3.5l9 9M12.5 3.5l-9 9"],
};

export const STATUSES = ["scheduled", "queued", "blocked", "active", "retrying", "completed", "failed", "cancelled"];
export const FINAL = ["completed", "failed", "cancelled"];

export function Icon({ of }) {
  const [, path] = LOOKS[of] ?? ["plain", "M2.5 8h11"];
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${path} /></svg>`;
}

/** Return the family of a status: plain, later, busy, good, warn or bad. */
export const lookOf = (status) => (LOOKS[status] ?? ["plain"])[0];

export function Status({ of, children }) {
  return html`<span class="pill ${lookOf(of)}"><${Icon} of=${of} />${children ?? of.replace("_", " ")}</span>`;
}
