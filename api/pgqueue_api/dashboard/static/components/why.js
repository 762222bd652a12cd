// Why a task waits: what /explain answers, in its order.
import { html } from "../vendor/preact.js";
import { href } from "../lib/api.js";
import { shortId, visible } from "../lib/format.js";
import { Status } from "./status.js";
import { Span, Time } from "./time.js";

/** `remedies` maps codes to {label, run}: what the reader may do about it here. */
export function Why({ explanation, remedies }) {
  return html`<section class="card why" aria-labelledby="why">
    <h2 id="why">Why is it waiting?</h2>
    ${explanation.earliest_start_at && html`<p class="muted">
      It starts <${Time} at=${explanation.earliest_start_at} /> at the earliest.</p>`}
    <ol>
      ${explanation.reasons.map((reason) => html`<li key=${reason.code}>
        <div class="spread">
          <p>${visible(reason.message)}${" "}<code class="tag">${reason.code}</code></p>
          ${remedies[reason.code] && html`<button type="button" onClick=${remedies[reason.code].run}>
            ${remedies[reason.code].label}</button>`}
        </div>
        <${Tasks} details=${reason.details} />
      </li>`)}
    </ol>
  </section>`;
}

/** The tasks behind a reason: those that hold the slots, or those that it depends on. */
function Tasks({ details }) {
  const holders = details?.holders ?? [];
  const parents = details?.tasks;
  if (holders.length) {
    return html`<ul class="plain">
      ${holders.map((task) => html`<li key=${task.task_id}>
        held by <a href=${href(`/ui/tasks/${task.task_id}`)}>${visible(task.type)} ${shortId(task.task_id)}</a>${" "}
        for <${Span} from=${task.started_at} />${task.ends_by && html`, until <${Time} at=${task.ends_by} /> at the latest`}
      </li>`)}
    </ul>`;
  }
  if (!Array.isArray(parents) || !parents.length) return null;
  return html`<ul class="plain">
    ${parents.map((task) => html`<li key=${task.id}>
      <${Status} of=${task.status} />${" "}
      <a href=${href(`/ui/tasks/${task.id}`)}>${visible(task.type)} ${shortId(task.id)}</a>
    </li>`)}
  </ul>`;
}
