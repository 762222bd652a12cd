// Tasks as rows; on a narrow screen, as cards.
import { html } from "../vendor/preact.js";
import { href } from "../lib/api.js";
import { shortId, visible } from "../lib/format.js";
import { oneLine } from "./failure.js";
import { Status } from "./status.js";
import { Span, Time } from "./time.js";

const link = (task, text) => html`<a href=${href(`/ui/tasks/${task.id}`)} title=${task.id}>${text}</a>`;

/** The columns by name: what they are called, and what they show. */
export const COLUMNS = {
  status: ["Status", (task) => html`<${Status} of=${task.status} />`],
  type: ["Type", (task) => link(task, visible(task.type))],
  id: ["Id", (task) => html`<code>${link(task, shortId(task.id))}</code>`],
  queue: ["Queue", (task) => html`<a href=${href(`/ui/queues/${encodeURIComponent(task.queue)}`)}>${visible(task.queue)}</a>`],
  priority: ["Priority", (task) => task.priority],
  attempt: ["Attempt", (task) => `${task.attempt} of ${task.max_attempts}`],
  progress: ["Progress", (task) => html`<${Progress} progress=${task.progress} brief />`],
  ran: ["Ran", (task) => hasRun(task) && html`<${Span} from=${task.started_at} to=${task.finished_at} />`],
  created: ["Created", (task) => html`<${Time} at=${task.created_at} />`],
  ended: ["Ended", (task) => html`<${Time} at=${task.finished_at} />`],
  tags: ["Tags", (task) => task.tags.map((tag) => html`<span key=${tag} class="tag">${visible(tag)}</span> `)],
  note: ["Note", (task) => note(task) && html`<span class="note">${note(task)}</span>`],
};

export const DEFAULT_COLUMNS = ["status", "type", "id", "queue", "attempt", "progress", "ran", "created", "note"];

/** Of a task that waits for its next attempt, only the attempts know how long they ran. */
const hasRun = (task) => task.started_at && (task.finished_at || task.status === "active");

function note(task) {
  if (task.error && task.status !== "completed") return oneLine(task.error);
  return task.status_reason ? visible(task.status_reason) : "";
}

export function Progress({ progress, brief = false }) {
  if (!progress) return null;
  const { percent, message } = progress;
  return html`<span class="progress">
    ${percent !== null && html`<progress max="100" value=${percent} aria-label="Progress"></progress> ${Math.floor(percent)} %`}
    ${message && (!brief || percent === null) && html` <span class="muted">${visible(message)}</span>`}
  </span>`;
}

/** `gone` holds the ids of rows that no longer match the filter; they stay until the reader refreshes. */
export function TaskTable({ tasks, columns = DEFAULT_COLUMNS, gone = new Set(), label = "Tasks" }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table: ${label}"><table class="cards">
    <thead><tr>${columns.map((name) => html`<th key=${name} scope="col">${COLUMNS[name][0]}</th>`)}</tr></thead>
    <tbody>
      ${tasks.map((task) => html`<tr key=${task.id} class=${gone.has(task.id) ? "gone" : ""}
        title=${gone.has(task.id) ? "It no longer matches the filter" : undefined}>
        ${columns.map((name) => html`<td key=${name} data-label=${COLUMNS[name][0]} class="c-${name}">${COLUMNS[name][1](task)}</td>`)}
      </tr>`)}
    </tbody>
  </table></div>`;
}
