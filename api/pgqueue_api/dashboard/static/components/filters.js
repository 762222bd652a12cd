// The filters of a list of tasks, as /v1/tasks takes them.
import { html, signal } from "../vendor/preact.js";
import { read } from "../lib/api.js";
import { visible } from "../lib/format.js";
import { go, query } from "../lib/query.js";
import { local } from "../lib/time.js";

/** Windows of time, by their name in the address: what they are called, and their length in seconds. */
export const SINCE = {
  "15m": ["last 15 min", 900],
  "1h": ["last hour", 3600],
  "24h": ["last 24 h", 86_400],
  "7d": ["last 7 days", 604_800],
};

/** Return what the address says: status, type, queue, tag (a list), from, to, since. */
export function filtersIn(asked) {
  const one = (name) => asked.get(name);
  const since = Object.hasOwn(SINCE, one("since") ?? "") ? one("since") : null;
  return {
    status: one("status"),
    type: one("type"),
    queue: one("queue"),
    tag: asked.getAll("tag"),
    from: one("from"),
    to: one("to"),
    since,
  };
}

const known = signal({ types: [], queues: [] });
let loaded = false;

/** The names to choose from are read when the reader first wants them. */
async function load() {
  if (loaded) return;
  loaded = true;
  const [types, queues] = await Promise.all([read("/v1/types"), read("/v1/queues")]).catch(() => []);
  const names = (answer) => answer?.data.items.map((item) => item.name) ?? [];
  known.value = { types: names(types), queues: names(queues) };
}

export function Filters() {
  const filters = filtersIn(query.value);
  function submit(event) {
    event.preventDefault();
    const form = new FormData(event.target);
    const tags = [...filters.tag, form.get("tag").trim()].filter(Boolean);
    go({ type: form.get("type").trim(), queue: form.get("queue").trim(), tag: [...new Set(tags)], since: form.get("since") });
    event.target.tag.value = "";
  }
  const apply = (event) => event.target.form.requestSubmit();
  return html`<form class="filters" onSubmit=${submit} onFocusin=${load}>
    <label>Type <input key=${filters.type} name="type" list="types" defaultValue=${filters.type ?? ""} onChange=${apply} autocomplete="off" /></label>
    <label>Queue <input key=${filters.queue} name="queue" list="queues" defaultValue=${filters.queue ?? ""} onChange=${apply} autocomplete="off" /></label>
    <label>Tag <input name="tag" maxlength="100" onChange=${apply} autocomplete="off" /></label>
    <label>Created <select key=${filters.since} name="since" onChange=${apply}>
      <option value="">any time</option>
      ${Object.entries(SINCE).map(([name, [label]]) => html`<option key=${name} value=${name} selected=${name === filters.since}>${label}</option>`)}
    </select></label>
    <button type="submit" class="sr-until-focus">Apply</button>
    <datalist id="types">${known.value.types.map((name) => html`<option key=${name} value=${name} />`)}</datalist>
    <datalist id="queues">${known.value.queues.map((name) => html`<option key=${name} value=${name} />`)}</datalist>
    <${Chips} filters=${filters} />
  </form>`;
}

/** What is in force, each to be removed. */
function Chips({ filters }) {
  const chips = [];
  for (const name of ["type", "queue"]) if (filters[name]) chips.push([name, filters[name], { [name]: null }]);
  for (const tag of filters.tag) chips.push(["tag", tag, { tag: filters.tag.filter((other) => other !== tag) }]);
  for (const name of ["from", "to"]) {
    const at = filters[name];
    if (at) chips.push([name, Number.isNaN(Date.parse(at)) ? at : local(at), { [name]: null }]);
  }
  if (!chips.length) return null;
  return html`<ul class="chips" aria-label="Filters in force">
    ${chips.map(([name, value, without]) => html`<li key=${name + value}>${name}: ${visible(value)}
      <button type="button" aria-label="Remove ${name} ${visible(value)}" onClick=${() => go(without)}>✕</button></li>`)}
  </ul>`;
}
