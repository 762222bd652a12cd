// Queues as rows: how much waits in each, for how long, and who works on it.
import { html } from "../vendor/preact.js";
import { href, withQuery } from "../lib/api.js";
import { number, visible } from "../lib/format.js";
import { Gauge } from "./chart.js";
import { Status } from "./status.js";
import { Span } from "./time.js";

/** Whether a worker serves a queue; one without a list serves all. */
export const serves = (worker, name) => worker.queues.length === 0 || worker.queues.includes(name);

export const queueHref = (name) => href(`/ui/queues/${encodeURIComponent(name)}`);

/** Return the address of the tasks of a queue in a status. */
export const tasksHref = (queue, status) => href(withQuery("/ui/tasks", { queue, status }));

const waits = (queue) => queue.queued > 0 || queue.blocked > 0 || queue.retrying > 0;

/** Whether tasks wait in a queue that nobody serves. */
export const isUnserved = (queue) => queue.workers === 0 && waits(queue) && queue.state === "active";

/** Queues that want a look first: unserved ones, held ones, then those whose tasks wait longest. */
export function byCare(queues) {
  const rank = (queue) => (isUnserved(queue) ? 0 : queue.state !== "active" && waits(queue) ? 1 : 2);
  const since = (queue) => (queue.oldest_queued_at ? Date.parse(queue.oldest_queued_at) : Infinity);
  const order = (a, b) => (a === b ? 0 : a < b ? -1 : 1);
  return [...queues].sort((a, b) => rank(a) - rank(b) || order(since(a), since(b)) || order(a.name, b.name));
}

/** The class of a number; on a narrow screen those that are 0 are left out. */
const n = (value) => (value ? "n" : "n zero");

export function QueueTable({ queues }) {
  const link = (queue, status) =>
    queue[status] ? html`<a href=${tasksHref(queue.name, status)}>${number(queue[status])}</a>` : html`<span class="muted">0</span>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table: Queues"><table class="cards">
    <thead><tr>
      <th scope="col">Queue</th><th scope="col">State</th><th scope="col" class="n">Queued</th><th scope="col">Longest wait</th>
      <th scope="col">Active</th><th scope="col" class="n">Scheduled</th><th scope="col" class="n">Retrying</th>
      <th scope="col" class="n">Blocked</th><th scope="col" class="n">Workers</th><th scope="col" class="n">Dead letters</th>
    </tr></thead>
    <tbody>${queues.map((queue) => html`<tr key=${queue.name}>
      <th scope="row" data-label="Queue"><a href=${queueHref(queue.name)}>${visible(queue.name)}</a></th>
      <td data-label="State">${queue.state === "active" ? html`<span class="muted">active</span>` : html`<${Status} of=${queue.state} />`}</td>
      <td data-label="Queued" class="n">${link(queue, "queued")}</td>
      <td data-label="Longest wait">${queue.oldest_queued_at ? html`<${Span} from=${queue.oldest_queued_at} />` : html`<span class="muted">–</span>`}</td>
      <td data-label="Active"><${Gauge} used=${queue.active} limit=${queue.concurrency} label="Running tasks" /></td>
      <td data-label="Scheduled" class=${n(queue.scheduled)}>${link(queue, "scheduled")}</td>
      <td data-label="Retrying" class=${n(queue.retrying)}>${link(queue, "retrying")}</td>
      <td data-label="Blocked" class=${n(queue.blocked)}>${link(queue, "blocked")}</td>
      <td data-label="Workers" class="n">${isUnserved(queue) ? html`<span class="pill bad">none</span>` : number(queue.workers)}</td>
      <td data-label="Dead letters" class=${n(queue.dead_letters)}>${queue.dead_letters ? number(queue.dead_letters) : html`<span class="muted">0</span>`}</td>
    </tr>`)}</tbody>
  </table></div>`;
}
