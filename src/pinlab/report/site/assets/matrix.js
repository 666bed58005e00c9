const broken = document.getElementById("broken");

function columns() {
  heads.forEach((head, column) => {
    const cells = [...body.rows].map((row) => row.cells[column]);
    const verdicts = cells.some((cell) => cell.matches(".holds, .violated, .unknown"));
    const hide = broken.checked && verdicts
      && !cells.some((cell) => cell.matches(".violated") && !cell.parentNode.hidden);
    for (const cell of [head, ...cells]) cell.hidden = hide;
  });
}

broken.addEventListener("change", columns);
document.addEventListener("filtered", columns);
