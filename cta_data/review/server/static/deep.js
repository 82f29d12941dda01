// Linked views of NiiVue: every technique on one grid, so that one place is one voxel in all of them.
const $ = (id) => document.getElementById(id);
let views = [], opened = 0;

export function hasWebGL2() {
  const context = document.createElement("canvas").getContext("webgl2");
  release(context);
  return Boolean(context);
}

// A browser has few contexts and takes the oldest away: those of views that are closed go at once.
function release(context) { context?.getExtension("WEBGL_lose_context")?.loseContext(); }

export function isOpen() { return !$("deep").hidden; }

export function close() {
  opened += 1;
  $("deep").hidden = true;
  $("deep-views").replaceChildren();
  for (const view of views) { view.cleanup?.(); release(view.gl); }
  views = [];
  delete document.body.dataset.deep;
}

export async function open(item, techniques, point) {
  const mine = (opened += 1);
  $("deep").hidden = false;
  $("deep-title").textContent = item.title;
  $("deep-state").textContent = "Loading the viewer …";
  const { Niivue } = await import("/static/niivue.js");
  for (const technique of techniques) {
    if (mine !== opened) return;
    $("deep-state").textContent = `Loading ${technique} …`;
    const figure = document.createElement("figure"), canvas = document.createElement("canvas"), caption = document.createElement("figcaption");
    caption.textContent = technique;
    figure.append(canvas, caption);
    $("deep-views").append(figure);
    const view = new Niivue({ isSliceMM: true, viewModeHotKey: "", cycleClipPlaneHotKey: "", show3Dcrosshair: true, backColor: [0, 0, 0, 1], dragAndDropEnabled: false, isRadiologicalConvention: true, sagittalNoseLeft: true, crosshairWidth: 0.4, crosshairColor: [0.42, 0.7, 0.96, 0.8] });
    views.push(view);
    await view.attachToCanvas(canvas, false);
    const volumes = [{ url: `/volume/${item.id}?technique=${encodeURIComponent(technique)}`, name: `${technique}.nii.gz`, colormap: "gray" }];
    if (item.masks.length) volumes.push({ url: `/volume/${item.id}?technique=labels`, name: "labels.nii.gz", colormap: "warm", opacity: 0.4 });
    await view.loadVolumes(volumes);
    if (mine !== opened) return;
    view.setSliceType(view.sliceTypeMultiplanar);
    view.scene.crosshairPos = view.mm2frac([-point[0], -point[1], point[2], 1], 0, true);
    view.drawScene();
    view.onLocationChange = () => {
      for (const other of views) if (other !== view) { other.scene.crosshairPos = [...view.scene.crosshairPos]; other.drawScene(); }
    };
  }
  $("deep-state").textContent = "One place in all views; drag to move, wheel to scroll";
  document.body.dataset.deep = item.id;
}
