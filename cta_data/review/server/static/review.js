// The list, what is known of an item, and decisions: each is on the disk when the server answers.
import * as deep from "./deep.js";
import { SHOWN_AT_FIRST, Views } from "./views.js";

const $ = (id) => document.getElementById(id);
const KINDS = { transfer: "Transfers", finding: "Findings", annotation: "Annotations" };
const views = new Views($("views"));
const drafts = new Map(), rows = new Map();
let items = [], current = "", item = null, busy = false;

async function request(path, content) {
  const settings = content ? { method: "POST", body: JSON.stringify(content), headers: { "Content-Type": "application/json" } } : {};
  let answer;
  try { answer = await fetch(path, settings); }
  catch { throw new Error("the review is not running any more: start `cta-data review` again; every decision that was confirmed is kept"); }
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer;
}

const ask = async (path, content) => (await request(path, content)).json();

function toast(text, bad = false) {
  $("toast").textContent = text;
  $("toast").classList.toggle("bad", bad);
  $("toast").hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $("toast").hidden = true; }, bad ? 15000 : 3500);
}

const make = (name, text, kind = "") => Object.assign(document.createElement(name), { textContent: text, className: kind });
const wanted = () => items.filter((one) => ["kind", "state", "cohort"].every((n) => !$(`filter-${n}`).value || one[n] === $(`filter-${n}`).value));

// The list may have thousands of rows: all are made when the filters change, else only one is.
function showList() {
  rows.clear();
  $("items").replaceChildren(...wanted().map((one) => {
    const row = document.createElement("li"), button = document.createElement("button");
    button.dataset.id = one.id;
    button.addEventListener("click", () => open(one.id));
    rows.set(one.id, button);
    showRow(one);
    row.append(button);
    return row;
  }));
  showCount();
}

function showRow(one) {
  const about = make("span", "", "about");
  const word = one.state === "decided" ? one.verdict : one.state === "void" ? "void: changed since" : "open";
  about.append(make("span", word, `tag ${one.verdict === "uncertain" ? "uncertain" : one.state}`), ` · ${one.kind}`);
  rows.get(one.id).replaceChildren(make("span", one.title, "name"), about);
  rows.get(one.id).setAttribute("aria-current", one.id === current);
}

function showCurrent() {
  document.querySelector("#items [aria-current=true]")?.setAttribute("aria-current", false);
  rows.get(current)?.setAttribute("aria-current", true);
  rows.get(current)?.scrollIntoView({ block: "nearest" });
}

function showCount() {
  const shown = wanted();
  const decided = shown.filter((one) => one.state === "decided").length;
  $("count").textContent = `${decided} of ${shown.length} decided`;
  $("progress").setAttribute("aria-valuemax", shown.length);
  $("progress").setAttribute("aria-valuenow", decided);
  $("done").style.width = `${shown.length ? (100 * decided) / shown.length : 0}%`;
  if (!shown.length && !item) { $("title").textContent = items.length ? "Nothing matches these filters" : "There is nothing to review"; }
}

function fill(id, values, words = (v) => v) {
  for (const value of values) $(id).append(Object.assign(make("option", words(value)), { value }));
}

async function open(id) {
  current = id;
  // Until the next one is there, no key may decide about the one before.
  item = null;
  $("title").textContent = items.find((one) => one.id === id).title;
  for (const control of $("decide").querySelectorAll("button, textarea, select")) control.disabled = true;
  showCurrent();
  $("state").textContent = "Loading images …";
  delete document.body.dataset.drawn;
  let read;
  try { read = await ask(`/api/item/${id}`); }
  catch (error) { toast(error.message, true); return; }
  if (current !== id) return;
  item = read;
  for (const control of $("decide").querySelectorAll("textarea, select")) control.disabled = false;
  history.replaceState(null, "", `#${id}`);
  $("title").textContent = item.title;
  $("failure").hidden = !item.failure;
  $("failure").textContent = item.failure ? `No images: ${item.failure}` : "";
  $("tools").hidden = !item.view;
  showDecision();
  $("facts").replaceChildren(...item.facts.flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
  showMasks();
  if (item.view) {
    for (const [name, why] of Object.entries(item.view.left_out)) $("facts").append(make("dt", `${name} is not shown`), make("dd", why));
    $("techniques").replaceChildren(...item.view.techniques.map((name, number) => {
      const button = make("button", name);
      button.setAttribute("aria-pressed", views.shownTechniques.get(name) ?? number < SHOWN_AT_FIRST);
      button.addEventListener("click", () => {
        const shown = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", shown);
        views.setTechnique(name, shown);
      });
      return button;
    }));
    $("stops").replaceChildren(...item.view.stops.map((stop, number) => {
      const row = document.createElement("li"), button = make("button", stop.label);
      button.addEventListener("click", () => views.goTo(number));
      row.append(button);
      return row;
    }));
  } else $("stops").replaceChildren();
  views.open(item);
  warm();
}

// The images of the next one are read while this one is looked at.
function warm() {
  const shown = wanted(), at = shown.findIndex((one) => one.id === current);
  const next = shown[at + 1];
  clearTimeout(warm.timer);
  if (next) warm.timer = setTimeout(() => fetch(`/api/item/${next.id}`).catch(() => {}), 1500);
}

function showDecision() {
  $("state").className = item.state === "void" ? "void" : "quiet";
  const said = item.decision;
  $("state").textContent = item.state === "void" ? `Your decision of ${said.decided_on} (${said.verdict}) is void: what you looked at has changed since` :
    said ? `You decided: ${said.verdict}, on ${said.decided_on}` : "Open";
  $("note").value = drafts.get(item.id) ?? (said && item.state === "decided" ? said.note : "");
  $("said").textContent = "";
  $("verdicts").replaceChildren(...item.verdicts.map((verdict, number) => {
    const button = document.createElement("button");
    button.dataset.verdict = verdict;
    button.append(make("kbd", number + 1), verdict);
    button.setAttribute("aria-pressed", item.state === "decided" && said?.verdict === verdict);
    button.addEventListener("click", () => decide(verdict));
    return button;
  }));
  $("which").hidden = !item.choices.length;
  $("preferred").replaceChildren(...["", ...item.choices].map((name) => make("option", name)));
  $("preferred").value = said && item.state === "decided" ? said.preferred : "";
}

function showMasks() {
  $("masks-section").hidden = !item.masks.length;
  $("masks").replaceChildren(...item.masks.map(({ name, colour }) => {
    const row = document.createElement("li"), label = document.createElement("label"), box = document.createElement("input"), line = document.createElement("i");
    box.type = "checkbox";
    box.checked = true;
    line.style.background = colour;
    box.addEventListener("change", () => { box.checked ? views.hidden.delete(name) : views.hidden.add(name); views.drawOutlines(); });
    label.append(box, line, name);
    row.append(label);
    return row;
  }));
}

function update(id, state, verdict) {
  const one = items.find((row) => row.id === id);
  if (!one) return;
  Object.assign(one, { state, verdict });
  if ($("filter-state").value) showList();
  else if (rows.has(id)) { showRow(one); showCount(); }
}

async function decide(verdict) {
  if (!item || busy) return;
  busy = true;
  const { id } = item;
  try {
    const kept = await ask("/api/decide", { id, verdict, note: $("note").value, preferred: $("preferred").value });
    drafts.delete(id);
    const before = wanted();
    const at = before.findIndex((one) => one.id === id);
    update(kept.id, kept.state, kept.verdict);
    toast(`Kept: ${kept.verdict}. u takes it back`);
    document.activeElement?.blur();
    const after = [...before.slice(at + 1), ...before.slice(0, at)].find((one) => one.state !== "decided");
    // Whoever has gone on meanwhile stays there.
    if (current === id) await open(after ? after.id : id);
  } catch (error) { toast(`Not kept: ${error.message}`, true); }
  finally { busy = false; }
}

async function undo() {
  try {
    const back = await ask("/api/undo", {});
    if (!back.id) { toast("There is no decision of this sitting to take back"); return; }
    update(back.id, back.state, back.verdict);
    await open(back.id);
    toast("Taken back");
  } catch (error) { toast(error.message, true); }
}

async function end() {
  if (drafts.size && !confirm(`${drafts.size} of your notes have no decision and would be lost. Finish all the same?`)) return;
  try { await ask("/api/end", {}); drafts.clear(); $("ended").hidden = false; }
  catch (error) { toast(error.message, true); }
}

// Another tab of this sitting may have decided meanwhile.
async function refresh() {
  if (!item || busy || !$("ended").hidden) return;
  try {
    items = (await ask("/api/list")).items;
    showList();
    const { state, decision } = await ask(`/api/item/${item.id}`);
    if (JSON.stringify([state, decision]) === JSON.stringify([item.state, item.decision])) return;
    Object.assign(item, { state, decision });
    showDecision();
  } catch (error) { toast(error.message, true); }
}

function move(count) {
  const shown = wanted(), at = shown.findIndex((one) => one.id === current);
  const next = shown[Math.min(shown.length - 1, Math.max(0, at + count))];
  if (next && next.id !== current) open(next.id);
}

function toggleList() {
  const hidden = document.body.classList.toggle("no-list");
  $("toggle-list").setAttribute("aria-expanded", !hidden);
  views.arrange();
}

async function toggleDeep() {
  if (deep.isOpen()) { deep.close(); return; }
  if ($("deep-button").hidden || !item?.view) return;
  try { await deep.open(item, views.techniques, views.point); }
  catch (error) { deep.close(); toast(`3-D is not available here (${error.message}): the slices show everything`, true); }
}

function setBox(id, apply) {
  $(id).checked = !$(id).checked;
  apply();
}
const outlines = () => { views.showOutlines = $("outlines").checked; views.drawOutlines(); };
const cross = () => { views.showCross = $("crosshair").checked; views.draw(); };

const KEYS = {
  j: () => move(1), k: () => move(-1), u: undo, l: toggleList, v: toggleDeep, c: () => $("note").focus(),
  o: () => setBox("outlines", outlines), x: () => setBox("crosshair", cross),
  "+": () => views.zoom(1 / 1.3), "=": () => views.zoom(1 / 1.3), "-": () => views.zoom(1.3), "0": () => views.reset(), w: () => views.toggleWhole(),
  "[": () => views.goTo(views.stop - 1), "]": () => views.goTo(views.stop + 1), "?": () => $("help").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.target.closest("textarea, select, dialog")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey) return;
  if (deep.isOpen()) { if (event.key === "v" || event.key === "Escape") deep.close(); return; }
  const steps = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (steps && event.target.type !== "range") { views.step(views.active, steps * (event.shiftKey ? 5 : 1)); event.preventDefault(); return; }
  const verdict = item?.verdicts[Number(event.key) - 1];
  if (verdict) { decide(verdict); return; }
  if (KEYS[event.key]) { KEYS[event.key](); event.preventDefault(); }
});

views.onFailure = (address) => request(address).catch((error) => toast(`A picture cannot be shown: ${error.message}`, true));
views.onStop = (number) => $("stops").querySelectorAll("button").forEach((one, i) => one.setAttribute("aria-pressed", i === number));
views.onGrey = () => { $("level").value = 100 - 100 * views.level; $("window").value = 50 - 25 * Math.log(views.window) / Math.log(2); };
const grey = () => views.setGrey((100 - $("level").value) / 100, 2 ** ((50 - $("window").value) / 25));
for (const id of ["level", "window"]) $(id).addEventListener("input", grey);
for (const name of ["kind", "state", "cohort"]) $(`filter-${name}`).addEventListener("change", () => { showList(); if (!wanted().some((one) => one.id === current)) move(-Infinity); });
$("note").addEventListener("input", () => { if (item && $("note").value.trim()) drafts.set(item.id, $("note").value); else if (item) drafts.delete(item.id); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
window.addEventListener("beforeunload", (event) => { if (drafts.size) event.preventDefault(); });
$("outlines").addEventListener("change", outlines);
$("crosshair").addEventListener("change", cross);
$("previous").addEventListener("click", () => move(-1));
$("next").addEventListener("click", () => move(1));
$("undo").addEventListener("click", undo);
$("end").addEventListener("click", end);
$("zoom-in").addEventListener("click", KEYS["+"]);
$("zoom-out").addEventListener("click", KEYS["-"]);
$("whole").addEventListener("click", KEYS.w);
$("reset").addEventListener("click", () => views.reset());
$("help-button").addEventListener("click", KEYS["?"]);
$("deep-button").addEventListener("click", toggleDeep);
$("deep-close").addEventListener("click", deep.close);
$("toggle-list").addEventListener("click", toggleList);

const listed = await ask("/api/list").catch((error) => { toast(error.message, true); return null; });
if (listed) {
  items = listed.items;
  $("study").textContent = listed.about.study;
  $("deep-button").hidden = !(listed.about.niivue && deep.hasWebGL2());
  $("reading").textContent = listed.about.reading;
  document.title = `Review of ${listed.about.study}`;
  fill("filter-kind", [...new Set(items.map((one) => one.kind))], (kind) => KINDS[kind]);
  fill("filter-state", ["open", "decided", "void"]);
  fill("filter-cohort", [...new Set(items.map((one) => one.cohort))].sort());
  showList();
  const first = items.find((one) => `#${one.id}` === location.hash) ?? items.find((one) => one.state !== "decided") ?? items[0];
  if (first) await open(first.id);
}
