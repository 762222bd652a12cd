// The processes that run tasks, by supervisor.
import { effect, html, signal } from "../vendor/preact.js";
import { read } from "../lib/api.js";
import { count, visible } from "../lib/format.js";
import { poll } from "../lib/live.js";
import { Loaded, mount } from "../components/frame.js";
import { Empty } from "../components/notice.js";
import { WorkerTable } from "../components/worker-table.js";

const all = signal(false);

const view = poll(async () => (await read(all.value ? "/v1/workers?all=true" : "/v1/workers")).data.items);

effect(() => {
  all.value;
  if (view.data.peek()) view.refresh();
});

function grouped(workers) {
  const groups = new Map();
  for (const worker of workers) groups.set(worker.supervisor, [...(groups.get(worker.supervisor) ?? []), worker]);
  return [...groups];
}

function Workers() {
  const workers = view.data.value ?? [];
  return html`<div class="spread"><h1>Workers</h1>
      <label class="check"><input type="checkbox" checked=${all.value} onChange=${(event) => (all.value = event.target.checked)} />
        with those that have stopped or are lost</label></div>
    <${Loaded} from=${view}>
      ${workers.length
        ? grouped(workers).map(([supervisor, some]) => html`<section key=${supervisor} aria-label="Supervisor ${visible(supervisor)}">
            <h2>${visible(some[0].host)} <span class="muted small">supervisor ${visible(supervisor)}, ${count(some.length, "process", "processes")}</span></h2>
            <${WorkerTable} workers=${some} /></section>`)
        : html`<${Empty} title="No worker is running"><p>A worker runs tasks. Start one:</p><pre>pgqueue worker</pre><//>`}
    <//>`;
}

mount(Workers);
