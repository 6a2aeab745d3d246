// Shows a LiveFigure (figure.py): a background picture, marks on a canvas above it, native controls beneath.
// `model` is a Jupyter widget model, or the table of a baked figure, which answers like one.
import { controls, isShown } from "./controls.js";
import { bytes, make } from "./dom.js";
import { change, values } from "./hand.js";
import { paint } from "./marks.js";
import { player } from "./player.js";
import { point } from "./point.js";

export function render({ model, el }) {
  const figure = model.get("_figure"), [width, height] = figure.size;
  const size = [2 * width, 2 * height]; // pixels of the kernel's picture
  const picture = make("img", { alt: figure.alt }), canvas = make("canvas"), context = canvas.getContext("2d");
  const stage = make("div", { class: "live-stage", style: `aspect-ratio:${width}/${height}` }, picture, canvas);
  const problem = make("div", { class: "live-error", role: "alert" });
  const root = make("div", { class: "live", style: `width:${width}px` }, make("style", {}, STYLE), stage);
  let scene = { marks: [], axes: [], n: 0 }, xy = new Float32Array(), ready = false;

  const resize = () => { // as many pixels as the screen shows: four times fewer to paint on a plain display
    const ratio = Math.min(2, Math.max(1, window.devicePixelRatio || 1)) / 2;
    const [wide, high] = size.map((v) => Math.round(ratio * v));
    if (canvas.width !== wide) [canvas.width, canvas.height] = [wide, high];
    return canvas.width / size[0];
  };
  const repaint = () => {
    if (!ready) return;
    paint(context, scene, xy, model.get("_glyphs"), bar ? bar.step : 0, resize());
    root.dataset.painted = Number(root.dataset.painted ?? 0) + 1; // tests wait for it
  };

  // ---- controls
  const shows = {}, points = [], conditional = [];
  const play = figure.controls.find((spec) => spec.kind === "play");
  const moved = () => values(model)[play.name] === bar.step ? [] : [[play.name, bar.step]];
  const bar = play && player(play, repaint, () => { if (moved().length) change(model, ...moved()); });
  const send = (name, value) => change(model, ...(bar ? moved() : []), [name, value]);
  if (bar) root.append(bar.element);
  const grid = make("div", { class: "live-grid" });
  for (const spec of figure.controls.filter(({ kind }) => kind in controls)) {
    const [element, show] = controls[spec.kind](spec, (value) => send(spec.name, value));
    element.dataset.control = spec.name;
    if (spec.when) { conditional.push([element, spec.when]); element.dataset.when = JSON.stringify(spec.when); }
    shows[spec.name] = show;
    grid.append(element);
  }
  if (grid.children.length) root.append(grid);
  for (const spec of figure.controls.filter(({ kind }) => kind === "point")) {
    const here = { canvas, size, axes: () => scene.axes[spec.ax] };
    const jump = model.step && ((arrow) => model.step(spec.name, arrow));
    const made = point(spec, here, (value) => send(spec.name, value), jump);
    shows[spec.name] = made.show;
    points.push(made);
    stage.append(made.element);
  }
  if (points.length) canvas.addEventListener("pointermove", () => { canvas.style.cursor = ""; }, { capture: true });
  stage.append(problem);
  if (figure.note) root.append(make("div", { class: "live-note" }, figure.note));

  // ---- from the kernel
  const showValues = () => {
    const now = values(model);
    for (const [name, show] of Object.entries(shows)) if (now[name] !== undefined) show(now[name]);
    if (bar?.set(now[play.name])) repaint();
    for (const [element, when] of conditional) element.hidden = !isShown(when, now);
  };
  const take = (next) => {
    scene = next;
    if (next.xy) xy = next.xy instanceof Float32Array ? next.xy : new Float32Array(bytes(next.xy));
    problem.textContent = next.error || "";
    bar?.limit(next.n);
    bar?.set(values(model)[play.name]);
    for (const { replace } of points) replace();
    repaint();
  };
  let held = null, busy = null, url = null; // the background: as it came, while it is decoded, as it is shown
  const showFrame = async () => { // a new background and its marks appear together
    const next = model.get("_scene"), background = model.get("_background");
    if (background === held) { if (!busy && next !== scene) take(next); return; }
    held = background;
    const baked = typeof background === "string", blob = () => new Blob([bytes(background)], { type: "image/png" });
    const source = baked ? background : URL.createObjectURL(blob());
    const image = new Image();
    image.src = source;
    busy = image;
    try { await image.decode(); } catch { /* shown as it is */ }
    if (busy !== image) { if (!baked) URL.revokeObjectURL(source); return; }
    busy = null;
    picture.src = source;
    if (url) URL.revokeObjectURL(url);
    url = baked ? null : source;
    ready = true;
    take(model.get("_scene"));
  };
  // "change" comes once a message, after all of its traits; painting at once, not at the next frame, is half a frame
  // sooner.
  const update = () => { showValues(); showFrame(); };
  model.on("change", update);
  window.addEventListener("resize", repaint); // also when the page is zoomed
  for (const kind of ["keydown", "keyup", "keypress"]) root.addEventListener(kind, (event) => event.stopPropagation());

  bar?.limit(model.get("_scene").n);
  update();
  el.append(root);
  return () => {
    bar?.close();
    if (url) URL.revokeObjectURL(url);
    model.off("change", update);
    window.removeEventListener("resize", repaint);
  };
}
