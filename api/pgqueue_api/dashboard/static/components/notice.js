// What went wrong, as the API says it.
import { html } from "../vendor/preact.js";
import { visible } from "../lib/format.js";

export function Notice({ problem, stale = false }) {
  return html`<div class="notice bad" role="alert">
    <strong>${stale ? "Not up to date. " : ""}${visible(problem.message)}</strong>
    ${(problem.errors ?? []).map(({ parameter, pointer, message }) => html`<div key=${parameter ?? pointer}>
      <code>${visible(parameter ?? pointer ?? "")}</code>: ${visible(message)}</div>`)}
    ${problem.hint && html` <span>${visible(problem.hint)}</span>`}
  </div>`;
}

/** What there would be to see, and the command that makes some. */
export function Empty({ title, children }) {
  return html`<div class="empty"><h2>${title}</h2>${children}</div>`;
}
