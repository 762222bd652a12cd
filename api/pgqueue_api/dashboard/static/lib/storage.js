// What one browser remembers: the theme and how it shows times. Nothing depends on it.

export function remembered(name, allowed) {
  try {
    const value = localStorage.getItem(`pgqueue.${name}`);
    return allowed.includes(value) ? value : allowed[0];
  } catch {
    return allowed[0];
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`pgqueue.${name}`, value);
  } catch {
    // storage is forbidden here: it lasts as long as the page
  }
}
