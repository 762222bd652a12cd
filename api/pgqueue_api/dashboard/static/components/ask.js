// A dialog that asks for a reason before something is done, and says in place why the API refused.
import { html, useEffect, useRef, useSignal } from "../vendor/preact.js";
import { Notice } from "./notice.js";

/** `question` is {title, text, action, bad, reason, run} or null; `run(reason)` throws a Problem if it was refused. */
export function Ask({ question }) {
  const dialog = useRef(null);
  const problem = useSignal(null);
  const busy = useSignal(false);
  const asked = question.value;

  useEffect(() => {
    problem.value = null;
    if (asked) dialog.current?.showModal();
    else dialog.current?.close();
  }, [asked]);

  async function submit(event) {
    event.preventDefault();
    busy.value = true;
    try {
      await asked.run(new FormData(event.target).get("reason")?.trim() || undefined);
      question.value = null;
    } catch (refused) {
      problem.value = refused;
    }
    busy.value = false;
  }

  const leave = () => (question.value = null);
  return html`<dialog ref=${dialog} onClose=${leave} aria-labelledby="ask-title">
    ${asked && html`<form onSubmit=${submit}>
      <h2 id="ask-title">${asked.title}</h2>
      <p>${asked.text}</p>
      ${asked.reason && html`<label>Reason <span class="muted">(optional; others see it)</span>
        <input name="reason" maxlength="1000" autocomplete="off" /></label>`}
      ${problem.value && html`<${Notice} problem=${problem.value} />`}
      <p class="buttons">
        <button type="submit" class=${asked.bad ? "bad" : "main"} disabled=${busy.value}>${asked.action}</button>
        <button type="button" onClick=${leave}>Back</button>
      </p>
    </form>`}
  </dialog>`;
}
