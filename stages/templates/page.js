"use strict";
// A click on a column's head sorts its table: numbers from the largest, words from A.
for (const head of document.querySelectorAll("th button")) head.addEventListener("click", () => {
  const cell = head.closest("th"), table = cell.closest("table"), body = table.tBodies[0];
  const number = cell.classList.contains("number"), before = cell.getAttribute("aria-sort");
  const rising = before === "none" ? !number : before === "descending";
  const key = row => row.cells[cell.cellIndex].dataset.value ?? row.cells[cell.cellIndex].textContent.trim();
  const order = number ? (a, b) => key(a) - key(b) : (a, b) => key(a).localeCompare(key(b), "en", {numeric: true});
  for (const other of cell.parentNode.cells) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
  cell.setAttribute("aria-sort", rising ? "ascending" : "descending");
  body.append(...[...body.rows].sort((a, b) => rising ? order(a, b) : order(b, a)));
});
// Vega writes beside each mark what it stands for; show that where the pointer is.
const tip = document.getElementById("tip");
if (tip) document.addEventListener("pointerover", event => {
  const mark = event.target.closest(".role-mark [aria-label]");
  tip.hidden = !mark || /line/.test(mark.getAttribute("aria-roledescription"));
  if (tip.hidden) return;
  tip.textContent = mark.getAttribute("aria-label");
  const box = mark.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(box.right + 8, innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = Math.max(4, box.top - tip.offsetHeight - 6) + "px";
});
