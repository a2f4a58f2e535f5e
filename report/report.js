// Shows what the mark under the pointer is, and lets the reader highlight the photos of one kind in a scatter.
"use strict";
const tooltip = document.getElementById("told");
document.addEventListener("pointermove", (event) => {
  const mark = event.target.closest("svg.plot [aria-label]:not(svg)");
  tooltip.hidden = !mark;
  if (mark) {
    tooltip.textContent = mark.getAttribute("aria-label");
    tooltip.style.left = `${Math.min(event.clientX + 12, innerWidth - tooltip.offsetWidth - 8)}px`;
    tooltip.style.top = `${event.clientY + 16}px`;
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
