// One queue: what waits in it, what runs, who works on it; pause and resume.
import { html, signal } from "../vendor/preact.js";
import { href, read, send, withQuery } from "../lib/api.js";
import { count, number, percent, visible } from "../lib/format.js";
import { members } from "../lib/json.js";
import { poll } from "../lib/live.js";
import { duration } from "../lib/time.js";
import { Ask } from "../components/ask.js";
import { Gauge } from "../components/chart.js";
import { Loaded, mount } from "../components/frame.js";
import { Latencies } from "../components/latencies.js";
import { Notice } from "../components/notice.js";
import { QueueFacts } from "../components/queue-facts.js";
import { isUnserved, serves, tasksHref } from "../components/queue-table.js";
import { Status } from "../components/status.js";
import { TaskTable } from "../components/task-table.js";
import { AsOf, Span, Time } from "../components/time.js";
import { WorkerTable } from "../components/worker-table.js";

const name = decodeURIComponent(location.pathname.replace(/\/$/, "").split("/").at(-1));
const path = `/v1/queues/${encodeURIComponent(name)}`;
const LISTED = 10;

const question = signal(null);
const refused = signal(null);

const view = poll(async () => {
  const paths = [
    withQuery("/v1/stats", { queue: name }),
    `${path}/scale`,
    "/v1/workers",
    withQuery("/v1/tasks", { queue: name, status: "active", limit: LISTED }),
  ];
  const [queue, ...more] = await Promise.all([read(path), ...paths.map(async (one) => (await read(one)).data)]);
  const [stats, scale, workers, active] = more;
  return { queue: queue.data, raw: members(queue.text), stats, scale, workers: workers.items, active: active.items };
});

async function change(verb, body) {
  await send("POST", `${path}/${verb}`, body);
  await view.refresh();
}

function askToPause() {
  question.value = {
    title: `Pause ${name}?`,
    text: "Within a second none of its tasks starts until you resume it. Tasks that are running go on.",
    action: "Pause the queue",
    reason: true,
    run: (reason) => change("pause", { reason }),
  };
}

async function resume() {
  refused.value = null;
  await change("resume").catch((error) => (refused.value = error));
}

function Queue() {
  const { queue } = view.data.value ?? {};
  return html`<div class="spread head"><h1>${queue && queue.state !== "active" && html`<${Status} of=${queue.state} /> `}${visible(name)}</h1>
      ${queue && html`<p class="buttons">${queue.state === "active"
        ? html`<button type="button" onClick=${askToPause}>Pause…</button>`
        : html`<button type="button" class="main" onClick=${resume}>Resume</button>`}
        <a class="button" href=${tasksHref(name)}>Its tasks</a></p>`}</div>
    ${refused.value && html`<${Notice} problem=${refused.value} />`}
    <${Loaded} from=${view}>${queue && html`<${Content} ...${view.data.value} />`}<//>
    <${Ask} question=${question} />`;
}

function Paused({ queue }) {
  if (queue.state === "active") return null;
  const running = queue.still_running > 0 ? `, ${count(queue.still_running, "task")} still running` : "";
  return html`<p class="notice warn">${queue.state === "draining" ? "Pausing, asked" : "Paused"} <${Time} at=${queue.paused_at} />
    ${queue.paused_by && ` by ${visible(queue.paused_by)}`}${queue.paused_reason && `: ${visible(queue.paused_reason)}`}${running}</p>`;
}

function Depth({ queue }) {
  const tile = (status) => html`<a key=${status} class="tile" href=${tasksHref(name, status)}>
    <span class="label">${status}</span><strong>${number(queue[status])}</strong></a>`;
  return html`<div class="tiles">
    ${tile("queued")}
    <div class="tile"><span class="label">longest wait</span>
      <strong>${queue.oldest_queued_at ? html`<${Span} from=${queue.oldest_queued_at} />` : "–"}</strong></div>
    <a class="tile" href=${tasksHref(name, "active")}><span class="label">active</span>
      <strong><${Gauge} used=${queue.active} limit=${queue.concurrency} label="Running tasks" /></strong></a>
    ${["scheduled", "retrying", "blocked"].map(tile)}
    <div class="tile"><span class="label">dead letters</span><strong>${number(queue.dead_letters)}</strong></div>
  </div>`;
}

function Scale({ scale }) {
  const backlog = `${number(scale.backlog)}${scale.backlog_exact ? "" : "+"}`;
  return html`<p>${count(scale.workers, "live worker process", "live worker processes")} with ${count(scale.slots, "slot")};${" "}
      ${number(scale.active)} in use, ${number(scale.wanted)} wanted.</p>
    <p class="muted small">${backlog} runnable or due, of which ${number(scale.startable)} could start now by their limits${scale.wait_s > 0 ? `; the first has waited ${duration(scale.wait_s)}` : ""}.</p>`;
}

function Content({ queue, raw, stats, scale, workers, active }) {
  const serving = workers.filter((worker) => serves(worker, name));
  return html`<${Paused} queue=${queue} />
    ${isUnserved(queue) && html`<p class="notice bad">No live worker serves this queue. Start one: <code>pgqueue worker --queues ${visible(name)}</code></p>`}
    <${Depth} queue=${queue} />
    <p class="right"><${AsOf} at=${queue.sampled_at} /></p>
    <div class="columns">
      <div class="wide">
        <section class="card" aria-labelledby="times"><h2 id="times">Waiting and running</h2><${Latencies} stats=${stats} />
          <p>${percent(stats.success_rate)} succeeded, ${number(stats.throughput_per_s * 60)} ended a minute, in the last hour.</p></section>
        <section class="card" aria-labelledby="running"><h2 id="running">Running now</h2>
          ${active.length ? html`<${TaskTable} tasks=${active} columns=${["type", "id", "attempt", "progress", "ran"]} label="Running now" />`
            : html`<p class="muted">Nothing runs.</p>`}</section>
        <section class="card" aria-labelledby="workers"><h2 id="workers">Workers</h2><${Scale} scale=${scale} />
          ${serving.length > 0 && html`<${WorkerTable} workers=${serving} brief />`}</section>
      </div>
      <aside class="card side" aria-labelledby="settings"><h2 id="settings">Settings</h2><${QueueFacts} queue=${queue} raw=${raw} />
        <p class="muted small">Change them with <code>PATCH ${href(path)}</code>.</p></aside>
    </div>`;
}

mount(Queue, () => visible(name));
