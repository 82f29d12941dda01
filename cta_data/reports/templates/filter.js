// A choice of cohort and state for pages of many entries. Without it the page is whole.
const filters = document.getElementById("filters"), entries = [...document.querySelectorAll("[data-state]")];
if (filters && entries.length) {
  const chosen = {}, told = document.createElement("span");
  told.setAttribute("role", "status");
  const show = () => {
    for (const one of entries) one.hidden = Object.entries(chosen).some(([name, value]) => value && one.dataset[name] !== value);
    const shown = entries.filter(one => one.matches("section") && !one.hidden).length;
    told.textContent = `${shown} of ${entries.filter(one => one.matches("section")).length} shown`;
  };
  for (const name of Object.keys(entries[0].dataset)) {
    const label = document.createElement("label"), select = document.createElement("select");
    const values = [...new Set(entries.map(one => one.dataset[name]))].sort();
    select.append(new Option("all", ""), ...values.map(value => new Option(value, value)));
    select.addEventListener("change", () => { chosen[name] = select.value; show(); });
    label.append(`${name[0].toUpperCase()}${name.slice(1).replace(/[A-Z]/g, " $&").toLowerCase()} `, select);
    filters.append(label, " ");
  }
  const pictures = [...document.querySelectorAll("details.pictures")], button = document.createElement("button");
  button.type = "button";
  button.textContent = "Open all";
  button.addEventListener("click", () => pictures.forEach(one => { one.open = true; }));
  if (pictures.length) filters.append(button);
  const reach = () => document.getElementById(decodeURIComponent(location.hash.slice(1)))?.querySelector("details.pictures")?.setAttribute("open", "");
  addEventListener("hashchange", reach);
  reach();
  filters.append(told);
  show();
}
