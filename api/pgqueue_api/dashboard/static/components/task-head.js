// The top and the side of the page of a task: what it is, how far it is, and what may be done to it.
import { html } from "../vendor/preact.js";
import { href } from "../lib/api.js";
import { visible } from "../lib/format.js";
import { duration } from "../lib/time.js";
import { CopyButton } from "./copy.js";
import { FINAL, Status } from "./status.js";
import { Progress } from "./task-table.js";
import { Time } from "./time.js";

const RETRIES = { failed: "Run again", cancelled: "Run again", retrying: "Retry now" };

export function TaskHead({ task, onCancel, onRetry }) {
  return html`<div class="spread head">
      <div>
        <h1><${Status} of=${task.status} /> ${visible(task.type)}</h1>
        <p class="facts"><code class="id">${task.id}</code><${CopyButton} text=${task.id} what="the id" /></p>
      </div>
      <p class="buttons">
        ${RETRIES[task.status] && html`<button type="button" class="main" onClick=${onRetry}>${RETRIES[task.status]}</button>`}
        ${!FINAL.includes(task.status) && html`<button type="button" onClick=${onCancel}>Cancel…</button>`}
      </p>
    </div>
    ${task.status_reason && task.status !== "failed" && html`<p class="lead">${visible(task.status_reason)}</p>`}
    ${task.progress && !FINAL.includes(task.status) && html`<p class="lead"><${Progress} progress=${task.progress} />
      ${" "}<span class="muted">reported <${Time} at=${task.progress.at} /></span></p>`}`;
}

/** Facts by name; those that do not apply are left out. */
function facts(task) {
  return [
    ["Queue", html`<a href=${href(`/ui/queues/${encodeURIComponent(task.queue)}`)}>${visible(task.queue)}</a>`],
    ["Priority", `${task.priority}, ${task.priority < 5 ? "before normal" : task.priority > 5 ? "after normal" : "normal"}`],
    ["Attempt", `${task.attempt} of ${task.max_attempts}`],
    ["Created", html`<${Time} at=${task.created_at} />`],
    ["Runs at", !FINAL.includes(task.status) && task.run_at && html`<${Time} at=${task.run_at} />`],
    ["Next attempt", task.next_retry_at && html`<${Time} at=${task.next_retry_at} />`],
    ["Latest attempt", task.started_at && html`<${Time} at=${task.started_at} />`],
    ["Ended", task.finished_at && html`<${Time} at=${task.finished_at} />`],
    ["Expires", !FINAL.includes(task.status) && task.expires_at && html`<${Time} at=${task.expires_at} />`],
    ["Timeout", task.timeout_s && duration(task.timeout_s)],
    ["Crashes", task.crash_count > 0 && task.crash_count],
    ["Tags", task.tags.length > 0 && task.tags.map((tag) => html`<a key=${tag} class="tag" href=${href(`/ui/tasks?tag=${encodeURIComponent(tag)}`)}>${visible(tag)}</a> `)],
    ["Limit key", task.limit_key && html`<code>${visible(task.limit_key)}</code>${task.cost > 1 ? `, cost ${task.cost}` : ""}`],
    ["Fairness key", task.fairness_key && html`<code>${visible(task.fairness_key)}</code>`],
    ["Dedup key", task.dedup_key && html`<code>${visible(task.dedup_key)}</code>`],
    ["Batch", task.batch_id && html`<code>${task.batch_id}</code>`],
    ["Callback", task.callback_url && html`<code>${visible(task.callback_url)}</code>`],
  ].filter(([, value]) => value !== false && value !== null && value !== undefined && value !== 0);
}

export function TaskFacts({ task }) {
  return html`<aside class="card side" aria-label="Facts"><dl>
    ${facts(task).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>
  <details class="menu-plain"><summary>With curl</summary>
    <div class="code"><${CopyButton} text=${curl(task)} what="the command" /><pre tabindex="0" aria-label="curl">${curl(task)}</pre></div>
  </details></aside>`;
}

const curl = (task) => `curl ${location.origin}${href(`/v1/tasks/${task.id}`)}`;
