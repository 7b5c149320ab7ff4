"use strict";
// Sorting and filtering; without it every table is still there, whole and in the order of the grid.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells], rows = [...body.rows];
  const form = document.querySelector(`form[data-for="${table.id}"]`);

  function compare(column, down) {
    const numeric = heads[column].classList.contains("number"), sign = down ? -1 : 1;
    const key = row => numeric ? row.cells[column].dataset.sort : row.cells[column].textContent.trim();
    return (a, b) => {
      const x = key(a), y = key(b), none = value => value === undefined || value === "";
      if (none(x) || none(y)) return none(x) - none(y);  // what is missing stays last, whichever way
      return sign * (numeric ? x - y : x.localeCompare(y));
    };
  }

  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...[...rows].sort(compare(column, down)));
  }));

  function filter() {
    const words = form.querySelector("input").value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = [...form.querySelectorAll("select")].filter(select => select.value);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const hit = words.every(word => text.includes(word))
        && chosen.every(select => matches(row.cells[select.dataset.column], select.value));
      row.hidden = !hit;
      shown += hit;
    }
    form.querySelector("output").textContent = `${shown} of ${rows.length} rows`;
  }

  function matches(cell, value) {
    const shown = cell.querySelector(".verdict") ?? cell;  // a verdict without the seeds that it still needs
    return shown.textContent.trim() === value.trim();
  }

  if (!form) continue;
  form.addEventListener("input", filter);
  form.addEventListener("submit", event => event.preventDefault());
  form.hidden = false;
  filter();
}

// A link leads to its row even where that is folded away or filtered out.
function reveal() {
  const row = location.hash && document.getElementById(location.hash.slice(1));
  if (!row) return;
  for (let one = row.closest("details"); one; one = one.parentElement.closest("details")) one.open = true;
  row.hidden = false;
  row.scrollIntoView({block: "center"});
  row.focus({preventScroll: true});
}
addEventListener("hashchange", reveal);
reveal();

for (const button of document.querySelectorAll(".copy")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = "copied";
  });
}
// On paper every part is open but for tables of many pages; afterwards each is as it was.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open], .long)")];
  opened.forEach(one => { one.open = true; });
});
addEventListener("afterprint", () => opened.forEach(one => { one.open = false; }));
