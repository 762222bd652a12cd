// The list of tasks: filters in the address, pages by keyset, rows that change in place and never move by themselves.
import { effect, html, signal } from "../vendor/preact.js";
import { read, withQuery } from "../lib/api.js";
import { count, number } from "../lib/format.js";
import { poll } from "../lib/live.js";
import { changed, go, going, query } from "../lib/query.js";
import { now } from "../lib/time.js";
import { Loaded, mount } from "../components/frame.js";
import { Filters, SINCE, filtersIn } from "../components/filters.js";
import { AsOf, Time } from "../components/time.js";
import { STATUSES, Icon } from "../components/status.js";
import { Empty } from "../components/notice.js";
import { COLUMNS, DEFAULT_COLUMNS, TaskTable } from "../components/task-table.js";

const PAGE = 50;

/** The rows that are shown, and the query that they answer. Which rows there are changes only when the reader asks. */
const shown = signal([]);
const answered = signal(null);
const gone = signal(new Set());
const fresh = signal(0);
let newest = [];

const list = poll(async () => {
  const asked = query.value;
  const { data } = await read(withQuery("/v1/tasks", { ...filtersFor(asked), cursor: asked.get("cursor"), limit: PAGE }));
  return { ...data, asked };
});
const counts = poll(async () => {
  const { type, queue } = filtersIn(query.value);
  return (await read(withQuery("/v1/stats", { type, queue }))).data;
}, 10_000);

effect(() => list.data.value && take(list.data.value));
effect(() => {
  query.value;
  if (list.data.peek()) list.refresh();
  if (counts.data.peek()) counts.refresh();
});

function filtersFor(asked) {
  const { since, ...filters } = filtersIn(asked);
  return since ? { ...filters, from: new Date(now() - SINCE[since][1] * 1000).toISOString() } : filters;
}

/** Show an answer: to a new query as it is; later ones change the rows that are there, and count what is new. */
function take({ items, next, asked }) {
  newest = items;
  if (answered.peek() !== asked || !shown.peek().length) {
    answered.value = asked;
    show();
    return;
  }
  const states = new Map(items.map((task) => [task.id, task]));
  const oldest = next ? items.at(-1)?.id : "";
  const there = new Set(shown.peek().map((task) => task.id));
  shown.value = shown.peek().map((task) => states.get(task.id) ?? task);
  gone.value = new Set([...there].filter((id) => !states.has(id) && id > oldest));
  fresh.value = items.filter((task) => !there.has(task.id)).length;
}

function show() {
  shown.value = newest;
  gone.value = new Set();
  fresh.value = 0;
}

function columnsIn(asked) {
  const named = (asked.get("columns") ?? "").split(",").filter((name) => name in COLUMNS);
  return named.length ? named : DEFAULT_COLUMNS;
}

function Tasks() {
  const columns = columnsIn(query.value);
  return html`
    <div class="spread"><h1>Tasks</h1><${ColumnMenu} columns=${columns} /></div>
    <${Filters} />
    <${StatusPills} />
    <${Loaded} from=${list}>
      ${fresh.value > 0 && html`<p class="fresh"><button type="button" class="main" onClick=${show}>
        ${count(fresh.value, "new task")}: show</button></p>`}
      ${shown.value.length > 0
        ? html`<div aria-busy=${answered.value !== query.value}><${TaskTable} tasks=${shown.value} columns=${columns} gone=${gone.value} /></div>`
        : list.data.value && html`<${NoTasks} />`}
      <${Paging} />
    <//>`;
}

function StatusPills() {
  const stats = counts.data.value;
  const current = query.value.get("status");
  const ofType = query.value.get("type");
  const pill = (name, label, n) => html`<a key=${label} class="filter-pill" href=${changed({ status: name })}
    onClick=${going({ status: name })} aria-current=${current === name ? "true" : undefined}>
    ${name && html`<${Icon} of=${name} />`}${label}${n !== undefined && html` <b>${number(n)}</b>`}</a>`;
  // with a type, the statistics know ended tasks only
  const counted = (name) => (ofType && !["completed", "failed", "cancelled"].includes(name) ? undefined : stats && (stats.counts[name] ?? 0));
  return html`<nav class="pills" aria-label="Status">
    ${pill(null, "all")}${STATUSES.map((name) => pill(name, name, counted(name)))}
    <${AsOf} at=${stats?.sampled_at} />
  </nav>`;
}

function NoTasks() {
  const { since, ...filters } = filtersIn(query.value);
  const isFiltered = Object.values(filters).flat().some(Boolean) || since;
  if (list.data.value.next) return html`<p class="muted">Nothing found so far.</p>`;
  if (isFiltered || query.value.get("cursor")) {
    return html`<${Empty} title=${`No ${filters.status ?? "such"} task${since ? ` in the ${SINCE[since][0]}` : ""}`}>
      <p><a href=${location.pathname} onClick=${going({ status: null, type: null, queue: null, tag: null, since: null, from: null, to: null })}>Show all tasks</a></p>
    <//>`;
  }
  return html`<${Empty} title="No tasks yet">
    <p>A task is one piece of work for a handler. Submit the first one:</p>
    <pre>curl ${location.origin}/v1/tasks -H 'content-type: application/json' -d '{"type": "sleep", "payload": {"delay_ms": 2000}}'</pre>
  <//>`;
}

function Paging() {
  const { next, searched_until: until } = list.data.value ?? {};
  const cursor = query.value.get("cursor");
  return html`<nav class="paging" aria-label="Pages">
    ${cursor && html`<a class="button" href=${changed({})} onClick=${going({})}>Newest</a>`}
    ${next && html`<a class="button" href=${changed({ cursor: next })} onClick=${toOlder(next)}>
      ${shown.value.length < PAGE ? "Continue the search" : "Older"}</a>`}
    <span class="muted">${until ? html`searched back to <${Time} at=${until} />` : shown.value.length > 0 && "that is all"}</span>
  </nav>`;
}

const toOlder = (cursor) => (event) => {
  going({ cursor })(event);
  scrollTo(0, 0);
};

function ColumnMenu({ columns }) {
  function toggle(name) {
    const kept = Object.keys(COLUMNS).filter((one) => (one === name) !== columns.includes(one));
    const isDefault = kept.length === DEFAULT_COLUMNS.length && kept.every((one) => DEFAULT_COLUMNS.includes(one));
    go({ columns: isDefault ? null : kept.join(","), cursor: query.value.get("cursor") });
  }
  return html`<details class="menu"><summary>Columns</summary><fieldset><legend class="sr">Columns</legend>
    ${Object.entries(COLUMNS).map(([name, [title]]) => html`<label key=${name} class="check">
      <input type="checkbox" checked=${columns.includes(name)} disabled=${columns.length === 1 && columns[0] === name}
        onChange=${() => toggle(name)} /> ${title}</label>`)}
  </fieldset></details>`;
}

mount(Tasks, () => {
  const { status, since } = filtersIn(query.value);
  const more = since ? `, ${SINCE[since][0]}` : "";
  return `${status ? `${status[0].toUpperCase()}${status.slice(1)} tasks` : "Tasks"}${more}`;
});
