// The files of a task. A picture, a PDF and a text open in place; everything else is downloaded.
import { html, useEffect, useSignal } from "../vendor/preact.js";
import { href } from "../lib/api.js";
import { bytes, visible } from "../lib/format.js";
import { pretty } from "../lib/json.js";

const MAX_TEXT = 200_000;
const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const TEXTS = /^(text\/|application\/(json|x-ndjson|yaml))/;

function kindOf({ content_type }) {
  const type = content_type.split(";")[0].trim().toLowerCase();
  if (PICTURES.includes(type)) return "picture";
  if (type === "application/pdf") return "pdf";
  return TEXTS.test(type) ? "text" : "file";
}

export function Artifacts({ files }) {
  const open = useSignal(files.length === 1 && kindOf(files[0]) === "picture" ? files[0].name : null);
  return html`<ul class="plain files">
    ${files.map((file) => {
      const kind = kindOf(file);
      const isOpen = open.value === file.name;
      return html`<li key=${file.name}>
        <div class="spread">
          <span class="facts"><strong>${visible(file.name)}</strong>
            <span class="muted">${visible(file.content_type)}, ${bytes(file.size)}</span></span>
          <span class="buttons">
            ${kind !== "file" && html`<button type="button" aria-expanded=${isOpen}
              onClick=${() => (open.value = isOpen ? null : file.name)}>${isOpen ? "Close" : "Open"}</button>`}
            <a class="button" href=${href(file.href)} download=${file.name}>Download</a>
          </span>
        </div>
        ${isOpen && html`<${Opened} file=${file} kind=${kind} />`}
      </li>`;
    })}
  </ul>`;
}

function Opened({ file, kind }) {
  if (kind === "picture") return html`<img class="opened" src=${href(file.href)} alt=${visible(file.name)} />`;
  if (kind === "pdf") return html`<${Pdf} file=${file} />`;
  return html`<${Text} file=${file} />`;
}

/** From memory: the answer itself refuses to be shown in a frame, whoever asks. */
function Pdf({ file }) {
  const url = useSignal(null);
  useEffect(() => {
    let made = null;
    fetch(href(file.href)).then(async (answer) => {
      made = URL.createObjectURL(new Blob([await answer.arrayBuffer()], { type: "application/pdf" }));
      url.value = made;
    });
    return () => made && URL.revokeObjectURL(made);
  }, [file.href]);
  return url.value
    ? html`<iframe class="opened pdf" src=${url.value} title=${visible(file.name)}></iframe>`
    : html`<p class="loading">Loading…</p>`;
}

function Text({ file }) {
  const text = useSignal(null);
  useEffect(() => {
    fetch(href(file.href)).then(async (answer) => {
      const all = await answer.text();
      const json = file.content_type.startsWith("application/json") && all.length <= MAX_TEXT;
      const cut = all.length > MAX_TEXT ? `${all.slice(0, MAX_TEXT)}\n… download it to see the rest` : all;
      text.value = visible(json ? pretty(cut) : cut);
    });
  }, [file.href]);
  return html`<div class="code"><pre class="opened" tabindex="0" aria-label=${visible(file.name)}>${text.value ?? "Loading…"}</pre></div>`;
}
