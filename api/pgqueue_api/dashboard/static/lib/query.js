// The filters of a list are the query of its address: a link shows the same list, and Back goes to the last one.
import { signal } from "../vendor/preact.js";

export const query = signal(new URLSearchParams(location.search));

addEventListener("popstate", () => (query.value = new URLSearchParams(location.search)));

/** Return the address of this page with some parameters changed; null and "" remove one. A new filter starts at the top. */
export function changed(changes) {
  const next = new URLSearchParams(query.value);
  next.delete("cursor");
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name);
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") next.append(name, one);
  }
  const text = next.toString();
  return text ? `?${text}` : location.pathname;
}

/** Change the address, and with it the list. Enter in a field says the same twice: once is enough. */
export function go(changes) {
  const next = new URL(changed(changes), location.href).href;
  if (next === location.href) return;
  history.pushState(null, "", next);
  query.value = new URLSearchParams(location.search);
}

/** Return a handler that goes there without loading the page anew, unless the reader asks for another tab. */
export const going = (changes) => (event) => {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go(changes);
};
