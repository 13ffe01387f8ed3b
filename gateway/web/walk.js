// Walking through the lines by keyboard: the log is one stop of the Tab key, the arrow keys go from line to line, and
// only the buttons of the line one stands on are stops.

/** Make `log` walkable; its lines are the children of `list`. */
export function walkable(log, list) {
  let here = null;

  function stand(line) {
    if (here !== line) reach(here, "-1");
    here = line;
    reach(line, "0");
  }

  function step(by) {
    const lines = [...list.children];
    const at = lines.indexOf(log.contains(document.activeElement) ? document.activeElement.closest("li") : null);
    const next = at < 0 ? (by < 0 ? lines.at(-1) : lines[0]) : lines[at + by];
    if (!next) return false;
    next.tabIndex = -1;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
    return true;
  }

  log.addEventListener("keydown", (event) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    if (step(by)) event.preventDefault();
  });
  log.addEventListener("focusin", (event) => stand(list.contains(event.target) ? event.target.closest("li") : null));
}

function reach(line, index) {
  for (const button of line?.querySelectorAll("button:not([aria-hidden])") ?? []) button.setAttribute("tabindex", index);
}
