// Worker processes as rows.
import { html } from "../vendor/preact.js";
import { number, visible } from "../lib/format.js";
import { Gauge } from "./chart.js";
import { queueHref } from "./queue-table.js";
import { Status } from "./status.js";
import { Time } from "./time.js";

const MAX_NAMES = 4;

/** Names in a row; beyond four, the rest opens. */
function Names({ names, linked = (name) => visible(name) }) {
  const list = (some) => some.map((name, i) => html`${i > 0 && ", "}${linked(name)}`);
  if (names.length <= MAX_NAMES) return list(names);
  return html`<details class="menu-plain"><summary>${number(names.length)}</summary>${list(names)}</details>`;
}

export function WorkerTable({ workers, brief = false }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table: Worker processes"><table class="cards">
    <thead><tr><th scope="col">Worker</th><th scope="col">State</th><th scope="col">Slots used</th><th scope="col">Heartbeat</th>
      ${!brief && html`<th scope="col">Started</th><th scope="col">Version</th><th scope="col">Queues</th><th scope="col">Types</th>`}</tr></thead>
    <tbody>${workers.map((worker) => html`<tr key=${worker.id}>
      <th scope="row" data-label="Worker"><code>${visible(worker.worker)}</code></th>
      <td data-label="State"><${Status} of=${worker.state} /></td>
      <td data-label="Slots used"><${Gauge} used=${worker.active} limit=${worker.concurrency} label="Slots used" /></td>
      <td data-label="Heartbeat"><${Time} at=${worker.heartbeat_at} />
        ${worker.state === "lost" && worker.active > 0 && html`<br /><span class="muted">its tasks run again after <${Time} at=${worker.expires_at} /></span>`}</td>
      ${!brief && html`<td data-label="Started"><${Time} at=${worker.started_at} /></td>
        <td data-label="Version">${visible(worker.version)}</td>
        <td data-label="Queues">${worker.queues.length === 0 && "all"}<${Names} names=${worker.queues} linked=${(queue) => html`<a href=${queueHref(queue)}>${visible(queue)}</a>`} /></td>
        <td data-label="Types"><${Names} names=${worker.types} /></td>`}
    </tr>`)}</tbody>
  </table></div>`;
}
