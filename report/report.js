// What a mark is, beside the pointer; and a scatter's photos of one kind before the others.
"use strict";
const told = document.getElementById("told");
document.addEventListener("pointermove", (event) => {
  const mark = event.target.closest("svg.plot [aria-label]:not(svg)");
  told.hidden = !mark;
  if (mark) {
    told.textContent = mark.getAttribute("aria-label");
    told.style.left = `${Math.min(event.clientX + 12, innerWidth - told.offsetWidth - 8)}px`;
    told.style.top = `${event.clientY + 16}px`;
  }
});
for (const list of document.querySelectorAll(".kinds")) {
  const plot = document.getElementById(list.dataset.plot);
  list.hidden = false;
  list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const chosen = button.getAttribute("aria-pressed") !== "true";
    for (const each of list.querySelectorAll("button")) each.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-pressed", String(chosen));
    plot.classList.toggle("chosen", chosen);
    for (const mark of plot.querySelectorAll("path[aria-label]")) {
      mark.classList.toggle("of-kind", mark.getAttribute("aria-label") === button.dataset.kind);
    }
  });
}
