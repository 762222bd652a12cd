// The log of a task as it grows: follows the end unless the reader has scrolled away from it.
import { html, signal, useEffect, useRef, useSignal } from "../vendor/preact.js";
import { count, visible } from "../lib/format.js";
import { exact, timeOfDay } from "../lib/time.js";
import { timeMode } from "./time.js";

const MAX_LINES = 5000;
const LEVELS = ["debug", "info", "warning", "error"];

/** Lines {lease_id, seq, at, level, message, data}, `data` as JSON text; the last 5,000 are kept. */
export function makeLog() {
  const lines = signal([]);
  const dropped = signal(0);
  function add(more) {
    const all = [...lines.value, ...more];
    dropped.value += Math.max(0, all.length - MAX_LINES);
    lines.value = all.slice(-MAX_LINES);
  }
  return { lines, dropped, add };
}

export function LogTail({ log, ended }) {
  const box = useRef(null);
  const last = useRef(0);
  const follow = useSignal(true);
  const level = useSignal("debug");
  const find = useSignal("");
  const all = log.lines.value;
  const from = LEVELS.indexOf(level.value);
  const wanted = find.value.toLowerCase();
  const shown = all.filter(
    (line) => rank(line.level) >= from && (!wanted || textOf(line).toLowerCase().includes(wanted)),
  );

  useEffect(() => {
    if (follow.value && box.current) box.current.scrollTop = box.current.scrollHeight;
  });

  function onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = box.current;
    // lines that came since we scrolled to the end are not the reader's doing; to scroll up is
    if (scrollTop < last.current) follow.value = false;
    else if (scrollHeight - scrollTop - clientHeight < 24) follow.value = true;
    last.current = scrollTop;
  }

  if (!all.length) {
    return html`<p class="muted">${ended ? "Its handler logged nothing." : "Nothing logged yet."}${" "}
      A handler logs with <code>ctx.log.info("…")</code>.</p>`;
  }
  return html`<div class="toolbar">
      <label>Level <select value=${level.value} onChange=${(event) => (level.value = event.target.value)}>
        ${LEVELS.map((name) => html`<option key=${name} value=${name}>${name}${name === "error" ? "" : " and above"}</option>`)}
      </select></label>
      <label>Find <input type="search" value=${find.value} onInput=${(event) => (find.value = event.target.value)} /></label>
      <label class="check"><input type="checkbox" checked=${follow.value}
        onChange=${(event) => (follow.value = event.target.checked)} /> follow</label>
      <span class="muted">${shown.length === all.length ? count(all.length, "line") : `${shown.length} of ${count(all.length, "line")}`}
        ${log.dropped.value > 0 && `; ${count(log.dropped.value, "earlier line")} at /v1/tasks/ID/logs`}</span>
    </div>
    <div class="log" ref=${box} onScroll=${onScroll} tabindex="0" role="log" aria-live="off" aria-label="Log">
      ${shown.map((line) => row(line, timeMode.value === "utc"))}
    </div>`;
}

const rank = (level) => (level === "critical" ? LEVELS.length : Math.max(0, LEVELS.indexOf(level)));

const textOf = (line) => `${line.message} ${line.data}`;

/** Rows by line: Preact leaves out what is the same object as before, so a new line costs what one line costs. */
const rows = [new WeakMap(), new WeakMap()];

function row(line, inUtc) {
  const made = rows[Number(inUtc)];
  if (!made.has(line)) made.set(line, makeRow(line, inUtc));
  return made.get(line);
}

function makeRow(line, inUtc) {
  return html`<div key=${`${line.lease_id}-${line.seq}`} class="line ${line.level}">
    <time datetime=${line.at} title=${exact(line.at)}>${timeOfDay(line.at, inUtc)}</time>
    <span class="level">${line.level}</span>
    <span class="text">${visible(line.message)}${line.data && html`<span class="data"> ${visible(line.data)}</span>`}</span>
  </div>`;
}
