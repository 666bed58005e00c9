const body = document.querySelector("#matrix tbody");
const heads = [...document.querySelectorAll("#matrix thead th")];
const value = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.sort === undefined ? cell.textContent : Number(cell.dataset.sort);
};
const compared = (a, b) => typeof a === "number" ? a - b : a.localeCompare(b);

heads.forEach((head, column) => head.addEventListener("click", () => {
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of heads) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...body.rows].sort((a, b) => compared(value(a, column), value(b, column)));
  body.append(...(down ? rows.reverse() : rows));
}));

function filter() {
  const words = document.getElementById("filter").value.toLowerCase();
  const only = document.getElementById("broken").checked;
  let shown = 0;
  for (const row of body.rows) {
    const text = `${row.cells[0].textContent} ${row.cells[1].textContent}`.toLowerCase();
    row.hidden = !text.includes(words);
    shown += !row.hidden;
  }
  heads.forEach((head, column) => {
    const cells = [...body.rows].map((row) => row.cells[column]);
    const verdicts = cells.some((cell) => cell.matches(".holds, .violated, .unknown"));
    const hide = only && verdicts
      && !cells.some((cell) => cell.matches(".violated") && !cell.parentNode.hidden);
    for (const cell of [head, ...cells]) cell.hidden = hide;
  });
  document.getElementById("none").hidden = shown > 0;
}

document.getElementById("filter").addEventListener("input", filter);
document.getElementById("broken").addEventListener("change", filter);
