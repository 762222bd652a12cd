// What keeps a page up to date: a poll that rests while the tab is hidden or the reader has paused it.
import { effect, signal } from "../vendor/preact.js";

/** "loading", "live", "paused", or "offline". */
export const link = signal("loading");

/** When the next try is, in milliseconds of this browser's clock, while offline. */
export const retryAt = signal(0);

/** Whether the reader has stopped updates. */
export const paused = signal(false);

/** Resolve when the page may be updated: visible, and not paused. */
export function mayUpdate() {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden || paused.value) return;
      document.removeEventListener("visibilitychange", look);
      stop();
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    let stop = () => {};
    stop = effect(() => {
      paused.value;
      queueMicrotask(look);
    });
  });
}

/**
 * Read again and again, and return {data, problem, refresh, stop}: `data` is what `load` answered last, `problem` why
 * it did not. An answer that was overtaken by a refresh is dropped.
 */
export function poll(load, everyMs = 5000) {
  const data = signal(null);
  const problem = signal(null);
  let round = 0;
  let timer = 0;

  async function refresh() {
    clearTimeout(timer);
    round += 1;
    const mine = round;
    let failed = false;
    try {
      const answer = await load();
      if (mine !== round) return;
      data.value = answer;
      problem.value = null;
      link.value = "live";
    } catch (error) {
      if (mine !== round) return;
      problem.value = error;
      failed = !error.status || error.status >= 500;
      link.value = failed ? "offline" : "live";
    }
    const waitMs = failed ? 3000 : everyMs;
    retryAt.value = Date.now() + waitMs;
    timer = setTimeout(again, waitMs, mine);
  }

  async function again(mine) {
    await mayUpdate();
    if (mine === round) await refresh();
  }

  function stop() {
    round += 1;
    clearTimeout(timer);
  }

  refresh();
  return { data, problem, refresh, stop };
}
