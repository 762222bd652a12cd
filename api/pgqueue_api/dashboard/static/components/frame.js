// What every page has: the controls at the top, the title, and a place for what went wrong.
import { effect, html, render, signal } from "../vendor/preact.js";
import { href, read, send, whoAmI } from "../lib/api.js";
import { isId } from "../lib/format.js";
import { link, paused, retryAt } from "../lib/live.js";
import { remember, remembered } from "../lib/storage.js";
import { clock, zoneName } from "../lib/time.js";
import { nextTimeMode, timeMode } from "./time.js";
import { Notice } from "./notice.js";

const THEMES = ["auto", "light", "dark"];
const theme = signal(remembered("theme", THEMES));

/** Show a page, and its title. A bare one has no controls, and asks for nothing. */
export function mount(Page, title, { bare = false } = {}) {
  const main = document.getElementById("main");
  main.textContent = "";
  render(html`<${Page} />`, main);
  if (!bare) {
    render(html`<${Controls} />`, document.getElementById("controls"));
    whoAmI().then((who) => (account.value = who.email), () => {});
  }
  if (title) effect(() => (document.title = `${title()} · pgqueue`));
}

function Controls() {
  return html`
    <${Jump} />
    <${Live} />
    <button type="button" class="quiet" onClick=${nextTimeMode} title="How times are shown: relative, local, UTC">
      <span class="sr">Times: </span>${{ relative: "ago", local: zoneName(), utc: "UTC" }[timeMode.value]}
    </button>
    <button type="button" class="quiet" onClick=${nextTheme} title="Theme: as the system, light, dark">
      <span class="sr">Theme: </span>${theme.value}
    </button>
    <${Account} />`;
}

const account = signal(null);

function Account() {
  if (!account.value) return null;
  const leave = async () => {
    await send("DELETE", "/v1/session");
    location.assign(href("/ui/sign-in"));
  };
  return html`<button type="button" class="quiet" onClick=${leave} title="Signed in as ${account.value}">Sign out</button>`;
}

function nextTheme() {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
  remember("theme", theme.value);
  if (theme.value === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
}

const LIVE = {
  loading: ["wait", "loading"],
  live: ["on", "live"],
  offline: ["off", "offline"],
};

function Live() {
  const [look, word] = paused.value ? ["held", "paused"] : LIVE[link.value];
  clock.value;
  const seconds = Math.max(0, Math.ceil((retryAt.value - Date.now()) / 1000));
  const more = word === "offline" ? `, retrying${seconds ? ` in ${seconds} s` : ""}` : "";
  return html`<button type="button" class="quiet live ${look}" aria-pressed=${paused.value}
    title=${paused.value ? "Go on with updates" : "Pause updates"} onClick=${() => (paused.value = !paused.value)}>
    <span class="dot" aria-hidden="true"></span>${word}${more}</button>`;
}

const missed = signal("");

/** The field that opens a task by its id, or a queue by its name. */
function Jump() {
  async function open(event) {
    event.preventDefault();
    const text = new FormData(event.target).get("jump").trim();
    if (!text) return;
    if (isId(text)) {
      location.assign(href(`/ui/tasks/${text}`));
      return;
    }
    try {
      await read(`/v1/queues/${encodeURIComponent(text)}`);
      location.assign(href(`/ui/queues/${encodeURIComponent(text)}`));
    } catch (problem) {
      missed.value = problem.status === 404 ? "No task or queue has this id or name." : problem.message;
    }
  }
  return html`<form class="jump" role="search" onSubmit=${open}>
    <input name="jump" type="search" autocomplete="off" spellcheck="false" placeholder="Task id or queue"
      aria-label="Open a task by its id, or a queue by its name" onInput=${() => (missed.value = "")} />
    ${missed.value && html`<p class="jump-missed" role="alert">${missed.value}</p>`}
  </form>`;
}

/** A page whose data may not be there yet: the problem, the content, or neither. */
export function Loaded({ from, children }) {
  const { data, problem } = from;
  if (data.value === null) {
    return problem.value
      ? html`<${Notice} problem=${problem.value} />`
      : html`<p class="loading" role="status">Loading…</p>`;
  }
  return html`${problem.value && html`<${Notice} problem=${problem.value} stale />`}${children}`;
}
