// How the service is doing, and what needs somebody.
import { html } from "../vendor/preact.js";
import { href, read, withQuery } from "../lib/api.js";
import { count, number, percent, visible } from "../lib/format.js";
import { poll } from "../lib/live.js";
import { duration, secondsBetween } from "../lib/time.js";
import { Days } from "../components/chart.js";
import { Loaded, mount } from "../components/frame.js";
import { Latencies } from "../components/latencies.js";
import { Empty } from "../components/notice.js";
import { QueueTable, byCare, isUnserved, queueHref, tasksHref } from "../components/queue-table.js";
import { Status } from "../components/status.js";
import { TaskTable } from "../components/task-table.js";
import { AsOf, Time } from "../components/time.js";

const MAX_QUEUES = 8;
const LISTED = 5;

const view = poll(async () => {
  const paths = ["/v1/stats", "/v1/stats?window_s=60", "/v1/queues", "/v1/workers"];
  const lists = [latest("active"), latest("failed")];
  const [stats, minute, queues, workers] = await Promise.all(paths.map(async (path) => (await read(path)).data));
  const [active, failed] = await Promise.all(lists);
  return { stats, minute, queues: queues.items, workers: workers.items, active, failed };
});

/** Return the newest tasks in a status. An answer may hold fewer than there are, and say where to go on: once is enough. */
async function latest(status) {
  const asked = { status, limit: LISTED };
  const { items, next } = (await read(withQuery("/v1/tasks", asked))).data;
  if (items.length >= LISTED || !next) return items;
  const more = (await read(withQuery("/v1/tasks", { ...asked, cursor: next }))).data.items;
  return [...items, ...more].slice(0, LISTED);
}

/** What needs somebody, each with where to look. */
function concerns({ stats, queues, workers }) {
  const found = [];
  if (!workers.length) {
    found.push(["bad", html`No worker is running. Start one: <code>pgqueue worker</code>`, href("/ui/workers")]);
  }
  for (const queue of queues) {
    const name = html`<code>${visible(queue.name)}</code>`;
    const waiting = count(queue.queued + queue.blocked + queue.retrying, "task");
    if (isUnserved(queue) && workers.length) found.push(["bad", html`No live worker serves ${name}: ${waiting} waiting`, queueHref(queue.name)]);
    if (queue.state !== "active") {
      const by = [queue.paused_by && ` by ${visible(queue.paused_by)}`, queue.paused_reason && `: ${visible(queue.paused_reason)}`];
      found.push(["warn", html`${name} was paused <${Time} at=${queue.paused_at} />${by}`, queueHref(queue.name)]);
    }
  }
  for (const duty of stats.maintenance.filter((one) => one.state !== "ok")) {
    const text = duty.state === "failing" ? visible(duty.last_error ?? "") : `${duration(duty.lag_s)} late`;
    found.push(["warn", html`Maintenance <code>${duty.duty}</code> is ${duty.state}: ${text}`, null]);
  }
  return found;
}

function Concerns({ of }) {
  if (!of.length) return null;
  return html`<section class="card warn" aria-labelledby="care"><h2 id="care">${count(of.length, "thing needs", "things need")} attention</h2>
    <ul class="plain">${of.map(([look, text, link], i) => html`<li key=${i} class="spread">
      <span class=${`${look}-text`}>${text}</span>${link && html`<a href=${link}>Look</a>`}</li>`)}</ul></section>`;
}

function Tile({ label, value, more, link, look = "" }) {
  return html`<a class="tile ${look}" href=${link}><span class="label">${label}</span><strong>${value}</strong>
    <span class="muted">${more}</span></a>`;
}

function Tiles({ stats, minute, queues, workers }) {
  const oldest = queues.map((queue) => queue.oldest_queued_at).filter(Boolean).sort()[0];
  const { counts } = stats;
  const slots = workers.reduce((sum, worker) => sum + worker.concurrency, 0);
  const failing = stats.success_rate !== null && stats.success_rate < 0.99;
  const waiting = (counts.scheduled ?? 0) + (counts.retrying ?? 0);
  return html`<div class="tiles">
    <${Tile} label="Queued" value=${number(counts.queued ?? 0)} more=${`${number(waiting)} later, ${number(counts.blocked ?? 0)} blocked`}
      link=${tasksHref(null, "queued")} />
    <${Tile} label="Active" value=${number(counts.active ?? 0)} more=${`of ${count(slots, "slot")}`} link=${tasksHref(null, "active")} />
    <${Tile} label="Ended in the last minute" value=${number(Math.round(minute.throughput_per_s * 60))}
      more=${`${number(stats.throughput_per_s * 60)} a minute in the last hour`} link=${href("/ui/tasks?since=1h")} />
    <${Tile} label="Succeeded in the last hour" value=${percent(stats.success_rate)} look=${failing ? "bad" : ""}
      more=${stats.success_rate === null ? "nothing ended" : "of what completed or failed"} link=${tasksHref(null, "failed")} />
    <${Tile} label="Longest wait" value=${oldest ? duration(secondsBetween(oldest)) : "–"} more=${oldest ? "for a free slot" : "nothing waits"}
      link=${href("/ui/queues")} />
  </div>`;
}

function Overview() {
  return html`<div class="spread"><h1>Overview</h1><${AsOf} at=${view.data.value?.stats.sampled_at} /></div>
    <${Loaded} from=${view}>${view.data.value && html`<${Content} ...${view.data.value} />`}<//>`;
}

function Content(data) {
  const { stats, queues, active, failed } = data;
  const isEmpty = Object.values(stats.counts).every((n) => n === 0) && !active.length && !failed.length;
  return html`
    <${Concerns} of=${concerns(data)} />
    ${isEmpty && html`<${FirstTask} />`}
    <${Tiles} ...${data} />
    <div class="halves">
      <section class="card" aria-labelledby="days"><h2 id="days">Ended in the last 7 days</h2><${Days} days=${stats.days} /></section>
      <section class="card" aria-labelledby="times"><h2 id="times">Waiting and running</h2><${Latencies} stats=${stats} />
        <${Maintenance} duties=${stats.maintenance} /></section>
    </div>
    ${queues.length > 0 && html`<section aria-labelledby="queues"><div class="spread"><h2 id="queues">Queues</h2>
      <a href=${href("/ui/queues")}>All ${number(queues.length)}</a></div>
      <${QueueTable} queues=${byCare(queues).slice(0, MAX_QUEUES)} /></section>`}
    <${Latest} title="Running now" tasks=${active} status="active" columns=${["type", "id", "queue", "progress", "ran"]} none="Nothing runs." />
    <${Latest} title="Failed last" tasks=${failed} status="failed" columns=${["type", "id", "queue", "attempt", "ended", "note"]} none="Nothing has failed." />`;
}

function Latest({ title, tasks, status, columns, none }) {
  return html`<section aria-labelledby=${status}><div class="spread"><h2 id=${status}>${title}</h2>
    <a href=${tasksHref(null, status)}>All ${status} tasks</a></div>
    ${tasks.length ? html`<${TaskTable} tasks=${tasks} columns=${columns} label=${title} />` : html`<p class="muted">${none}</p>`}</section>`;
}

function Maintenance({ duties }) {
  const counted = (state) => duties.filter((duty) => duty.state === state).length;
  if (!duties.length) return html`<p class="muted small">No supervisor has reported on maintenance yet.</p>`;
  return html`<p class="facts small">Maintenance: ${["ok", "late", "failing"].filter(counted).map(
    (state) => html`<${Status} key=${state} of=${state}>${counted(state)} ${state}<//>`)}</p>`;
}

function FirstTask() {
  return html`<${Empty} title="Nothing has been submitted yet">
    <p>Submit a task, and watch it here:</p>
    <pre>curl ${location.origin}${href("/v1/tasks")} -H 'content-type: application/json' -d '{"type": "sleep", "payload": {"delay_ms": 2000}}'</pre>
  <//>`;
}

mount(Overview);
