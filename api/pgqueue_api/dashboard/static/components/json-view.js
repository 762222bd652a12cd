// JSON as it was sent: every digit, and every character that would hide is named.
import { html, useMemo } from "../vendor/preact.js";
import { pretty, tokens } from "../lib/json.js";
import { visible } from "../lib/format.js";
import { CopyButton } from "./copy.js";

const MAX_COLOURED = 20_000;

export function JsonView({ text, name }) {
  const shown = useMemo(() => (text.length > MAX_COLOURED ? visible(pretty(text)) : coloured(text)), [text]);
  return html`<div class="code">
    <${CopyButton} text=${text} what=${name} />
    <pre tabindex="0" aria-label=${name}>${shown}</pre>
  </div>`;
}

const coloured = (text) =>
  tokens(text).map(([kind, part]) =>
    kind === "mark" ? part : html`<span class="json-${kind}">${visible(part)}</span>`,
  );
