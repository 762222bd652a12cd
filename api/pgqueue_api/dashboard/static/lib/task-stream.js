// The stream of one task: its state, its log lines and its text as they come. It closes while the tab is hidden, because
// browsers open six connections to a server, and ends when the task has ended.
import { signal } from "../vendor/preact.js";
import { href, read } from "./api.js";
import { link, mayUpdate, paused, retryAt } from "./live.js";

const HIDDEN_MS = 30_000;
const MAX_RETRY_MS = 10_000;

/** Call `hear(event, text)` for each frame of a task, in batches of one animation frame; `done` when it has ended. */
export function watchTask(id, hear) {
  const ended = signal(false);
  let source = null;
  let retryMs = 1000;
  let seen = [0, 0];
  let frames = [];
  let hiding = 0;

  function flush() {
    const batch = frames;
    frames = [];
    if (batch.length) hear(batch);
  }

  function take(event) {
    if (event.type === "log" || event.type === "text") {
      const place = event.lastEventId.split("-").map(Number);
      if (place[0] < seen[0] || (place[0] === seen[0] && place[1] <= seen[1])) return; // sent before we reconnected
      seen = place;
    }
    if (frames.length === 0) (document.hidden ? setTimeout : requestAnimationFrame)(flush);
    frames.push([event.type, event.data]);
    link.value = "live";
    retryMs = 1000;
    if (event.type === "end") close(true);
  }

  function close(atEnd = false) {
    source?.close();
    source = null;
    ended.value ||= atEnd;
  }

  async function open() {
    await mayUpdate();
    if (source || ended.value) return;
    source = new EventSource(href(`/v1/tasks/${id}/events`));
    for (const name of ["snapshot", "status", "progress", "log", "text", "end"]) source.addEventListener(name, take);
    source.onerror = () => {
      close();
      link.value = "offline";
      read("/v1/me").catch(() => {}); // it leads to where people sign in, should that be why
      retryAt.value = Date.now() + retryMs;
      setTimeout(open, retryMs);
      retryMs = Math.min(MAX_RETRY_MS, retryMs * 2);
    };
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(close, HIDDEN_MS);
    else open();
  });
  paused.subscribe((still) => (still ? close() : open()));
  return { ended, reopen: () => ((ended.value = false), open()) };
}
