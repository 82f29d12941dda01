// Tables of class "sortable": a button in each heading sorts the rows. Without it the page is whole.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], head = table.tHead.rows[table.tHead.rows.length - 1];
  const value = (row, at) => row.cells[at].textContent.trim();
  const number = text => { const found = text.replace("−", "-").match(/^-?[\d.]+/); return found ? +found[0] : NaN; };
  [...head.cells].forEach((cell, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      const up = cell.getAttribute("aria-sort") !== "ascending";
      for (const other of head.cells) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].map(row => [value(row, at), row]);
      rows.sort(([a], [b]) => {
        const x = number(a), y = number(b);
        if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
        const order = isNaN(x) ? a.localeCompare(b, "en", {numeric: true}) : x - y;
        return up ? order : -order;
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}
