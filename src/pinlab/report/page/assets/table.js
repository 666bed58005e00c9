const body = document.querySelector("table.sortable tbody");
const heads = [...document.querySelectorAll("table.sortable thead th")];
const value = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.sort === undefined ? cell.textContent : Number(cell.dataset.sort);
};
const compared = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
  : String(a).localeCompare(String(b));

heads.forEach((head, column) => head.addEventListener("click", () => {
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of heads) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...body.rows].sort((a, b) => compared(value(a, column), value(b, column)));
  body.append(...(down ? rows.reverse() : rows));
}));

const filter = document.getElementById("filter");
filter.addEventListener("input", () => {
  const words = filter.value.toLowerCase();
  let shown = 0;
  for (const row of body.rows) {
    row.hidden = !row.textContent.toLowerCase().includes(words);
    shown += !row.hidden;
  }
  document.getElementById("none").hidden = shown > 0 || !words;
  const count = document.getElementById("count");
  if (count) count.textContent = words ? `${shown} of ${body.rows.length}` : "";
  document.dispatchEvent(new Event("filtered"));
});
