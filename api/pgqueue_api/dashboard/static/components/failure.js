// An error as a handler left it: what it is, what it says, and where it came from.
import { html } from "../vendor/preact.js";
import { visible } from "../lib/format.js";
import { CopyButton } from "./copy.js";

/** Return one line that tells errors apart. */
export function oneLine(error) {
  if (!error) return "";
  if (typeof error !== "object") return visible(error);
  return visible([error.type, String(error.message ?? "").split("\n")[0]].filter(Boolean).join(": "));
}

export function Failure({ error, open = false }) {
  if (!error) return null;
  const { traceback } = error;
  return html`<div class="failure">
    <p class="bad-text"><strong>${error.type && visible(error.type)}</strong>${error.type && error.message ? ": " : ""}
      <span class="message">${visible(error.message ?? (typeof error === "object" ? "" : error))}</span></p>
    ${traceback && html`<details open=${open}>
      <summary>Traceback</summary>
      <div class="code"><${CopyButton} text=${traceback} what="the traceback" />
        <pre tabindex="0" aria-label="Traceback">${visible(traceback)}</pre></div>
    </details>`}
  </div>`;
}
