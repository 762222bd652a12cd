// The attempts of a task, latest first, and how they lie in time.
import { html, useSignal } from "../vendor/preact.js";
import { elements, members } from "../lib/json.js";
import { visible } from "../lib/format.js";
import { clock, duration, exact, secondsBetween } from "../lib/time.js";
import { Failure } from "./failure.js";
import { JsonView } from "./json-view.js";
import { Status, lookOf } from "./status.js";
import { Span, Time } from "./time.js";

const PAGE = 20;

/** Return the attempts that an answer of /attempts holds; `raw` has each result as text. */
export function attemptsOf({ data, text }) {
  const raws = elements(members(text).items);
  return data.items.map((attempt, i) => ({ ...attempt, raw: members(raws[i]) }));
}

/** `open`: whether the traceback of the latest one is shown at once. */
export function Attempts({ attempts, open }) {
  const shown = useSignal(PAGE);
  if (!attempts.length) return html`<p class="muted">It has not started yet.</p>`;
  return html`<ol class="attempts">
      ${attempts.slice(0, shown.value).map((attempt, i) => html`<li key=${attempt.lease_id} value=${attempt.attempt}>
        <${Attempt} attempt=${attempt} open=${open && i === 0} /></li>`)}
    </ol>
    ${attempts.length > shown.value && html`<button type="button" onClick=${() => (shown.value += 5 * PAGE)}>
      Show more: ${attempts.length - shown.value} are left</button>`}`;
}

function Attempt({ attempt, open }) {
  const { outcome } = attempt;
  return html`
    <p class="facts">
      <${Status} of=${outcome ?? "running"} />
      <span>attempt ${attempt.attempt}</span>
      <span>started <${Time} at=${attempt.started_at} /></span>
      <span>ran <${Span} from=${attempt.started_at} to=${attempt.finished_at} /></span>
      ${attempt.worker && html`<span>on <code>${visible(attempt.worker)}</code></span>`}
      <span class="muted">lease ${attempt.lease_id}</span>
    </p>
    <${Failure} error=${attempt.error} open=${open} />
    ${attempt.result !== null && !attempt.final && html`<${JsonView} text=${attempt.raw.result} name="Result" />`}`;
}

const LATEST = 60;

/** Waits and attempts in proportion, from the creation of the task to its end, or to now. */
export function Timeline({ task, attempts }) {
  const end = Date.parse(task.finished_at ?? "") || Math.max(clock.value, Date.parse(task.created_at));
  const start = Date.parse(task.created_at);
  const whole = Math.max(1, end - start);
  const place = (at) => (100 * Math.min(whole, Math.max(0, at - start))) / whole;
  const bars = attempts.slice(0, LATEST).map((attempt) => {
    const from = place(Date.parse(attempt.started_at));
    const to = attempt.finished_at ? place(Date.parse(attempt.finished_at)) : 100;
    const ran = duration(secondsBetween(attempt.started_at, attempt.finished_at));
    const text = `attempt ${attempt.attempt}: ${attempt.outcome ?? "running"}, ${ran}, from ${exact(attempt.started_at)}`;
    return html`<rect key=${attempt.lease_id} class=${lookOf(attempt.outcome ?? "running")} x="${from}%" y="3" height="14"
      width="${Math.max(0.6, to - from)}%"><title>${text}</title></rect>`;
  });
  const first = attempts.at(-1);
  const waited = first ? duration(secondsBetween(task.created_at, first.started_at)) : null;
  return html`<figure class="timeline">
    <svg role="img" aria-label="The attempts in time" width="100%" height="20">
      <rect class="wait" x="0" y="8" width="100%" height="4" />${bars}
    </svg>
    <figcaption class="spread muted">
      <span>created <${Time} at=${task.created_at} />${waited && html`, waited ${waited}`}</span>
      <span>${task.finished_at ? html`ended <${Time} at=${task.finished_at} /> after ` : "so far "}${duration(whole / 1000)}</span>
    </figcaption>
  </figure>`;
}
