// Runs before the first paint, so that a page never flashes in the other theme.
try {
  const theme = localStorage.getItem("pgqueue.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // storage is forbidden here: the theme of the system it is
}
