// All queues, those that want a look first.
import { html } from "../vendor/preact.js";
import { read } from "../lib/api.js";
import { poll } from "../lib/live.js";
import { Loaded, mount } from "../components/frame.js";
import { Empty } from "../components/notice.js";
import { QueueTable, byCare } from "../components/queue-table.js";
import { AsOf } from "../components/time.js";

const view = poll(async () => (await read("/v1/queues")).data.items);

function Queues() {
  const queues = view.data.value ?? [];
  const sampled = queues.map((queue) => queue.sampled_at).filter(Boolean).sort()[0];
  return html`<div class="spread"><h1>Queues</h1><${AsOf} at=${sampled} /></div>
    <${Loaded} from=${view}>
      ${queues.length > 0
        ? html`<${QueueTable} queues=${byCare(queues)} />`
        : html`<${Empty} title="No queues yet"><p>A queue exists once a task is submitted to it, or a worker serves it:</p>
            <pre>pgqueue worker --queues email</pre><//>`}
    <//>`;
}

mount(Queues);
