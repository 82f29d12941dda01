"use strict";
// A review without server: decisions stay in this browser until they are saved as a file.
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const data = JSON.parse($("data").textContent);
const KEPT = `cta-review-${data.page}`;
const drafts = new Map();
let decisions = {}, at = 0, stop = 0, slice = 0, unsaved = false;

try {
  const kept = JSON.parse(localStorage.getItem(KEPT) || "{}");
  decisions = kept.decisions || {};
  data.reader = data.reader || kept.reader || "";
} catch { /* A browser that keeps nothing for files: the file that is saved is what counts. */ }

const make = (name, text, settings = {}) => Object.assign(document.createElement(name), { textContent: text }, settings);

function keep() {
  unsaved = true;
  try { localStorage.setItem(KEPT, JSON.stringify({ decisions, reader: $("reader").value })); } catch { /* As above. */ }
}

function tell(text, bad = false) {
  $("told").textContent = text;
  $("told").className = bad ? "bad" : "";
  $("told").hidden = false;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { $("told").hidden = true; }, 6000);
}

function line(points, colour) {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("stroke", colour);
  path.setAttribute("d", points.map((one) => "M" + one.map((p) => p.join(",")).join("L")).join(""));
  return path;
}

function picture(png, one, pixels, caption) {
  const figure = document.createElement("figure"), image = make("img", "", { src: `data:image/png;base64,${png}`, alt: caption });
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `-0.5 -0.5 ${pixels} ${pixels}`);
  if ($("outlines").checked) for (const outline of one.outlines) svg.append(line(outline.lines, outline.colour));
  figure.append(image, svg, make("figcaption", caption));
  return figure;
}

function draw() {
  const item = data.items[at], place = item.stops[stop];
  $("pictures").replaceChildren();
  $("legend").replaceChildren();
  if (!place) return;
  const axial = place.slices.filter((one) => one.plane === "axial"), middle = Math.floor(axial.length / 2);
  const shown = axial[Math.min(axial.length - 1, Math.max(0, middle + slice))];
  const others = place.slices.filter((one) => one.plane !== "axial");
  for (const technique of Object.keys(shown.pictures)) {
    $("pictures").append(picture(place.whole.pictures[technique], place.whole, place.whole_pixels, `${technique} whole slice`));
    $("pictures").append(picture(shown.pictures[technique], shown, place.pixels, `${technique} axial ${slice > 0 ? "+" : ""}${slice || ""}`));
    for (const one of others) $("pictures").append(picture(one.pictures[technique], one, place.pixels, `${technique} ${one.plane}`));
  }
  const names = new Map([...place.slices, place.whole].flatMap((one) => one.outlines.map((o) => [o.name, o.colour])));
  for (const [name, colour] of names) {
    const row = make("li", ""), svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 22 6");
    svg.append(line([[[0, 3], [22, 3]]], colour));
    row.append(svg, name);
    $("legend").append(row);
  }
}

function show() {
  const item = data.items[at], said = decisions[item.id];
  $("title").textContent = item.title;
  $("state").textContent = `${at + 1} of ${data.items.length}: ${said ? `decided: ${said.verdict}` : "open"}. Arrow keys or wheel: slices`;
  $("failure").hidden = !item.failure;
  $("failure").textContent = item.failure ? `No images: ${item.failure}` : "";
  $("note").value = said?.note ?? drafts.get(item.id) ?? "";
  $("which").hidden = !item.choices.length;
  $("preferred").replaceChildren(...["", ...item.choices].map((name) => make("option", name)));
  $("preferred").value = said?.preferred ?? "";
  $("verdicts").replaceChildren(...item.verdicts.map((verdict, number) => {
    const button = make("button", `${number + 1}  ${verdict}`);
    button.setAttribute("aria-pressed", said?.verdict === verdict);
    button.addEventListener("click", () => decide(verdict));
    return button;
  }));
  $("stops").replaceChildren(...(item.stops.length > 1 ? item.stops : []).map((one, number) => {
    const button = make("button", one.label);
    button.setAttribute("aria-pressed", number === stop);
    button.addEventListener("click", () => { stop = number; slice = 0; show(); });
    return button;
  }));
  $("facts").replaceChildren(...item.facts.flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
  const done = Object.keys(decisions).length;
  $("progress").max = data.items.length;
  $("progress").value = done;
  $("count").textContent = `${done} of ${data.items.length} decided`;
  draw();
}

function go(to) {
  at = Math.min(data.items.length - 1, Math.max(0, to));
  stop = slice = 0;
  show();
}

function decide(verdict) {
  const item = data.items[at];
  decisions[item.id] = { verdict, note: $("note").value.trim(), preferred: $("preferred").value, decided_on: new Date().toISOString().slice(0, 10) };
  keep();
  document.activeElement?.blur();
  const after = [...data.items.keys()].map((i) => (at + 1 + i) % data.items.length).find((i) => !decisions[data.items[i].id]);
  go(after ?? at);
}

function save() {
  const reader = $("reader").value.trim();
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/.test(reader)) { tell("Give your code first, such as R1", true); $("reader").focus(); return; }
  if (!Object.keys(decisions).length) { tell("Nothing is decided yet", true); return; }
  const made = data.items.filter((item) => decisions[item.id]).map((item) => ({ id: item.id, content_key: item.content_key, ...decisions[item.id] }));
  const { format, version, study, convention, blinded } = data;
  const content = JSON.stringify({ format, version, study, convention, blinded, reader, decisions: made }, null, 1);
  const link = make("a", "", { href: URL.createObjectURL(new Blob([content], { type: "application/json" })), download: "decisions.json" });
  document.body.append(link);
  link.click();
  link.remove();
  unsaved = false;
  const left = data.items.filter((item) => !decisions[item.id] && drafts.get(item.id)?.trim()).length;
  const missing = left ? `. Without a decision, and not in it: ${left} of your notes` : "";
  tell(`${made.length} decisions saved: send decisions.json back${missing}`, left > 0);
}

document.addEventListener("keydown", (event) => {
  if (event.target.closest("textarea, #reader")) { if (event.key === "Escape") event.target.blur(); return; }
  if (event.ctrlKey || event.metaKey) return;
  const item = data.items[at], verdict = item.verdicts[Number(event.key) - 1];
  if (verdict) decide(verdict);
  else if (event.key === "j") go(at + 1);
  else if (event.key === "k") go(at - 1);
  else if (event.key === "c") $("note").focus();
  else if (event.key === "o") { $("outlines").checked = !$("outlines").checked; draw(); }
  else if (event.key === "ArrowUp" || event.key === "ArrowDown") { slice = Math.min(2, Math.max(-2, slice + (event.key === "ArrowUp" ? 1 : -1))); draw(); }
  else return;
  event.preventDefault();
});
$("pictures").addEventListener("wheel", (event) => { event.preventDefault(); slice = Math.min(2, Math.max(-2, slice - Math.sign(event.deltaY))); draw(); }, { passive: false });
window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
$("reader").addEventListener("input", keep);
$("outlines").addEventListener("change", draw);
$("previous").addEventListener("click", () => go(at - 1));
$("next").addEventListener("click", () => go(at + 1));
$("save").addEventListener("click", save);
$("name").textContent = `Review of ${data.name}`;
document.title = $("name").textContent;
$("reader").value = data.reader;
// What is written beside a decision belongs to it; before the decision, it waits for it.
$("note").addEventListener("input", () => {
  const { id } = data.items[at];
  if (decisions[id]) { decisions[id].note = $("note").value.trim(); keep(); } else drafts.set(id, $("note").value);
});
$("preferred").addEventListener("change", () => { const said = decisions[data.items[at].id]; if (said) { said.preferred = $("preferred").value; keep(); } });
show();
