// A button that copies a text, and says so.
import { html, useSignal } from "../vendor/preact.js";
import { copy } from "../lib/clipboard.js";

const SAID_MS = 1500;

export function CopyButton({ text, what }) {
  const said = useSignal(false);
  async function onClick() {
    await copy(text);
    said.value = true;
    setTimeout(() => (said.value = false), SAID_MS);
  }
  return html`<button type="button" class="quiet copy" onClick=${onClick}>
    <span aria-live="polite">${said.value ? "Copied" : "Copy"}</span><span class="sr"> ${what}</span>
  </button>`;
}
