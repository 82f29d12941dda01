// Slices of every technique in three planes through one point, drawn by the server.
const PLANES = ["axial", "coronal", "sagittal"];
const SIDE = { axial: "R", coronal: "R", sagittal: "A" };
export const SHOWN_AT_FIRST = 2;
const WHOLE_MM = 220, CLOSE_MM = 90, PIXELS = 384;
const SVG = "http://www.w3.org/2000/svg";

const plus = (a, b, f = 1) => a.map((v, i) => v + f * b[i]);
const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);
const times = (a, f) => a.map((v) => v * f);

export class Views {
  constructor(folder) {
    this.folder = folder;
    this.tiles = [];
    this.hidden = new Set();
    this.showOutlines = true;
    this.showCross = true;
    this.active = "axial";
    this.shownTechniques = new Map();
    this.resetWindow();
    new ResizeObserver(() => this.arrange()).observe(folder.parentElement);
  }

  resetWindow() { this.level = 0.5; this.window = 1; }

  open(item) {
    this.item = item;
    this.view = item.view;
    this.hidden.clear();
    this.folder.replaceChildren();
    this.tiles = [];
    if (!this.view) return;
    const { left, posterior, superior } = this.view.axes;
    this.planes = {
      axial: { right: left, down: posterior, normal: superior },
      coronal: { right: left, down: times(superior, -1), normal: posterior },
      sagittal: { right: posterior, down: times(superior, -1), normal: left },
    };
    this.width = item.kind === "transfer" ? WHOLE_MM : CLOSE_MM;
    this.techniques = this.view.techniques.filter((t, i) => this.shownTechniques.get(t) ?? i < SHOWN_AT_FIRST);
    this.build();
    this.goTo(0);
  }

  setTechnique(name, shown) {
    this.shownTechniques.set(name, shown);
    this.techniques = this.view.techniques.filter((t, i) => this.shownTechniques.get(t) ?? i < SHOWN_AT_FIRST);
    this.build();
    this.draw();
  }

  build() {
    this.folder.replaceChildren();
    this.tiles = [];
    for (const technique of this.techniques) for (const plane of PLANES) this.tiles.push(this.tile(technique, plane));
    this.arrange();
  }

  arrange() {
    if (!this.techniques || !this.techniques.length) return;
    const box = this.folder.parentElement.getBoundingClientRect();
    const narrow = window.innerWidth <= 1150;
    const wide = (this.folder.clientWidth || box.width) - 26;
    const high = (narrow ? window.innerHeight * 0.62 : this.folder.clientHeight) - 14;
    const rows = this.techniques.length;
    const edge = Math.max(150, Math.min((wide - 12) / 3, (high - 6 * (rows - 1)) / Math.min(rows, 3)));
    this.folder.style.gridTemplateColumns = `repeat(3, ${Math.floor(edge)}px)`;
  }

  tile(technique, plane) {
    const box = document.createElement("div");
    box.className = "tile";
    box.dataset.technique = technique;
    box.dataset.plane = plane;
    const image = document.createElement("img");
    image.alt = `${technique}, ${plane}`;
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `-0.5 -0.5 ${PIXELS} ${PIXELS}`);
    const text = (name, content) => {
      const made = document.createElement("span");
      made.className = name;
      made.textContent = content;
      return made;
    };
    const scale = text("scale", "10 mm");
    box.append(image, svg, text("label", `${technique} ${plane}`), text("side", SIDE[plane]), scale);
    this.folder.append(box);
    const tile = { box, image, svg, scale, technique, plane, wanted: "", loading: "" };
    image.addEventListener("load", () => this.loaded(tile, false));
    image.addEventListener("error", () => this.loaded(tile, true));
    this.listen(tile);
    return tile;
  }

  listen(tile) {
    const { box, plane } = tile;
    box.addEventListener("pointerenter", () => this.activate(plane));
    box.addEventListener("contextmenu", (event) => event.preventDefault());
    box.addEventListener("wheel", (event) => {
      event.preventDefault();
      const way = Math.sign(event.deltaY);
      if (event.ctrlKey) this.zoom(way > 0 ? 1.15 : 1 / 1.15);
      else this.step(plane, -way * (event.shiftKey ? 5 : 1));
    }, { passive: false });
    let from = null;
    box.addEventListener("pointerdown", (event) => {
      box.setPointerCapture(event.pointerId);
      this.activate(plane);
      from = { x: event.clientX, y: event.clientY, level: this.level, window: this.window, grey: event.button === 2 || event.altKey };
      if (!from.grey) this.pointAt(tile, event);
    });
    box.addEventListener("pointermove", (event) => {
      if (!from) return;
      if (!from.grey) return this.pointAt(tile, event);
      this.setGrey(from.level - (event.clientY - from.y) / 300, from.window * Math.exp((event.clientX - from.x) / 200));
    });
    const stop = () => { from = null; };
    box.addEventListener("pointerup", stop);
    box.addEventListener("pointercancel", stop);
  }

  activate(plane) {
    this.active = plane;
    for (const tile of this.tiles) tile.box.classList.toggle("active", tile.plane === plane);
  }

  setGrey(level, width) {
    this.level = Math.min(2, Math.max(-1, level));
    this.window = Math.min(5, Math.max(0.05, width));
    this.onGrey?.();
    this.draw();
  }

  pointAt(tile, event) {
    const box = tile.box.getBoundingClientRect();
    const { right, down } = this.planes[tile.plane];
    const centre = this.centreOf(tile.plane);
    const along = (position, edge) => (position / edge - 0.5) * this.width;
    const x = along(event.clientX - box.left, box.width), y = along(event.clientY - box.top, box.height);
    this.point = plus(plus(centre, right, x), down, y);
    this.draw();
  }

  // The middle of a picture stays while slices are scrolled: only its depth is the point's.
  centreOf(plane) {
    const { normal } = this.planes[plane];
    const depth = dot(plus(this.point, this.centre, -1), normal);
    return plus(this.centre, normal, depth);
  }

  step(plane, count) {
    if (!this.view) return;
    this.point = plus(this.point, this.planes[plane].normal, count * this.view.steps_mm[plane]);
    this.draw();
  }

  goTo(number) {
    if (!this.view) return;
    const stops = this.view.stops;
    this.stop = (number + stops.length) % stops.length;
    this.point = stops[this.stop].point;
    this.centre = this.width < WHOLE_MM ? this.point : this.view.head;
    this.onStop?.(this.stop);
    this.draw();
  }

  // The whole slice, to see where in the head it is, and back.
  toggleWhole() {
    if (!this.view) return;
    this.width = this.width < WHOLE_MM ? WHOLE_MM : CLOSE_MM;
    this.zoom(1);
  }

  zoom(factor) {
    if (!this.view) return;
    this.width = Math.min(WHOLE_MM, Math.max(20, this.width * factor));
    this.centre = this.width < WHOLE_MM ? this.point : this.view.head;
    this.draw();
  }

  reset() {
    this.resetWindow();
    this.width = this.item?.kind === "transfer" ? WHOLE_MM : CLOSE_MM;
    this.onGrey?.();
    if (this.view) this.goTo(this.stop);
  }

  query(plane) {
    const [x, y, z] = this.centreOf(plane).map((v) => v.toFixed(2));
    return new URLSearchParams({ plane, x, y, z, width: this.width.toFixed(1), pixels: PIXELS, level: this.level.toFixed(3), window: this.window.toFixed(3) });
  }

  draw() {
    if (!this.view) return;
    for (const tile of this.tiles) {
      const query = this.query(tile.plane);
      query.set("technique", tile.technique);
      tile.wanted = `/slice/${this.item.id}?${query}`;
      tile.scale.style.width = `${(10 / this.width) * 100}%`;
      if (!tile.loading) this.load(tile);
      this.drawCross(tile);
    }
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.drawOutlines(), 40);
  }

  // One request a picture at a time: what was scrolled past meanwhile is never asked for.
  load(tile) {
    if (tile.shown === tile.wanted) return;
    tile.loading = tile.wanted;
    tile.box.classList.add("loading");
    tile.image.src = tile.wanted;
  }

  loaded(tile, broken) {
    tile.shown = tile.loading;
    tile.loading = "";
    tile.box.classList.remove("loading");
    tile.box.classList.toggle("broken", broken);
    if (broken) this.onFailure?.(tile.shown);
    if (!broken && !this.firstShown) { this.firstShown = performance.now(); document.body.dataset.firstImage = Math.round(this.firstShown); }
    if (tile.wanted !== tile.shown) this.load(tile);
  }

  drawCross(tile) {
    tile.svg.querySelectorAll(".cross").forEach((one) => one.remove());
    if (!this.showCross) return;
    const { right, down } = this.planes[tile.plane];
    const offset = plus(this.point, this.centreOf(tile.plane), -1);
    const place = (axis) => (dot(offset, axis) / this.width) * PIXELS + (PIXELS - 1) / 2;
    const x = place(right), y = place(down), gap = PIXELS / 14;
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("class", "cross");
    line.setAttribute("d", `M${x},-1V${y - gap}M${x},${y + gap}V${PIXELS}M-1,${y}H${x - gap}M${x + gap},${y}H${PIXELS}`);
    tile.svg.append(line);
  }

  async drawOutlines() {
    if (!this.view) return;
    const item = this.item, ticket = (this.ticket = {});
    for (const plane of PLANES) {
      let lines = [];
      if (this.showOutlines) {
        const query = this.query(plane);
        query.set("level", 0.5);
        query.set("window", 1);
        const address = `/outlines/${item.id}?${query}`;
        const answer = await fetch(address).catch(() => null);
        if (ticket !== this.ticket) return;
        if (answer?.ok) lines = await answer.json();
        else this.onFailure?.(address);
      }
      for (const tile of this.tiles) if (tile.plane === plane) this.paint(tile, lines);
    }
    if (ticket === this.ticket) document.body.dataset.drawn = item.id;
  }

  paint(tile, lines) {
    tile.svg.querySelectorAll(".outline").forEach((one) => one.remove());
    for (const line of lines) {
      if (this.hidden.has(line.name)) continue;
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", "outline");
      path.setAttribute("stroke", line.colour);
      path.setAttribute("d", line.lines.map((points) => "M" + points.map((p) => p.join(",")).join("L")).join(""));
      tile.svg.append(path);
    }
  }
}
