// Paints a LiveFigure (live.py): a background picture, marks on a canvas above it, native controls beneath.
// `model` is a Jupyter widget model, or any object with get, set, save_changes, on, off: see baked_html in live.py.

const STYLE = `
.live { --ink: var(--jp-ui-font-color1, #222); --soft: var(--jp-ui-font-color2, #666); --line: var(--jp-border-color1, #ccc);
  --accent: #0067a5; --paper: var(--jp-layout-color1, #fff); max-width: 100%; margin: 2px 0 10px; color: var(--ink);
  font: 13px/1.35 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; text-align: left; }
.live *, .live *::before { box-sizing: border-box; }
.live-stage { position: relative; background: #fff; border-radius: 6px; overflow: hidden; line-height: 0; }
.live-stage img, .live-stage canvas { width: 100% !important; height: 100% !important; display: block; margin: 0 !important;
  max-width: none !important; max-height: none !important; border: 0 !important; box-shadow: none !important; }
.live-stage canvas { position: absolute; inset: 0; touch-action: pan-y; will-change: transform; }
.live button.live-point { position: absolute; width: 22px; height: 22px; min-width: 0; margin: -11px 0 0 -11px; padding: 0; border-radius: 50%; cursor: grab;
  border: 2.5px solid var(--accent); background: rgba(255,255,255,.35); box-shadow: 0 0 0 1.5px rgba(255,255,255,.8); touch-action: none; }
.live button.live-point:active { cursor: grabbing; background: rgba(0,103,165,.25); }
.live button.live-point.bare:not(:focus-visible) { opacity: 0; pointer-events: none; }
.live-error { position: absolute; left: 12px; right: 12px; bottom: 12px; padding: 8px 12px; border-radius: 6px; color: #7a1015;
  background: #fdecec; border: 1px solid #e5a3a3; font: 13px/1.4 ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap; }
.live-error:empty { display: none; }
.live-bar { display: flex; align-items: center; gap: 10px; margin: 4px 2px 0; }
.live-bar input { flex: 1; }
.live-grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(205px, 1fr)); gap: 8px 26px; margin: 8px 2px 0; align-items: end; }
.live-head { display: flex; justify-content: space-between; gap: 8px; color: var(--soft); }
.live-head output, .live-bar output { color: var(--ink); font-variant-numeric: tabular-nums; font-weight: 600; white-space: nowrap; }
.live-wide { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 6px; align-items: center; color: var(--soft); }
.live input[type=range] { -webkit-appearance: none; appearance: none; width: 100%; height: 22px; margin: 0; padding: 0; background: transparent;
  border: 0; cursor: pointer; display: block; }
.live input[type=range]::-webkit-slider-runnable-track { height: 4px; border-radius: 2px;
  background: linear-gradient(to right, var(--accent) var(--at, 0%), var(--line) var(--at, 0%)); }
.live input[type=range]::-moz-range-track { height: 4px; border-radius: 2px;
  background: linear-gradient(to right, var(--accent) var(--at, 0%), var(--line) var(--at, 0%)); }
.live input[type=range]::-webkit-slider-thumb { -webkit-appearance: none; width: 16px; height: 16px; margin-top: -6px; border-radius: 50%;
  background: var(--accent); border: 2px solid #fff; box-shadow: 0 0 2px rgba(0,0,0,.5); }
.live input[type=range]::-moz-range-thumb { width: 12px; height: 12px; border-radius: 50%; background: var(--accent); border: 2px solid #fff;
  box-shadow: 0 0 2px rgba(0,0,0,.5); }
.live select { width: 100%; height: 28px; padding: 0 6px; font: inherit; color: var(--ink); background: var(--paper);
  border: 1px solid var(--line); border-radius: 5px; margin: 2px 0 0; }
.live button.live-round { width: 34px; height: 34px; flex: none; border-radius: 50%; border: 0; padding: 0; color: #fff;
  background: var(--accent); cursor: pointer; display: grid; place-items: center; }
.live button.live-round.again { background: transparent; color: var(--soft); border: 1px solid var(--line); width: 28px; height: 28px; }
.live button.live-chip { font: inherit; line-height: 1; padding: 6px 11px 6px 9px; border-radius: 14px; min-width: 0; height: auto; cursor: pointer; color: var(--soft);
  background: transparent; border: 1px solid var(--line); display: inline-flex; gap: 6px; align-items: center; margin: 0; }
.live-chip::before { content: ""; width: 9px; height: 9px; border-radius: 50%; border: 2px solid var(--dot, var(--accent)); }
.live button.live-chip[aria-pressed=true] { color: var(--ink); border-color: var(--dot, var(--accent)); }
.live-chip[aria-pressed=true]::before { background: var(--dot, var(--accent)); }
.live-check { display: flex; gap: 8px; align-items: center; min-height: 28px; cursor: pointer; }
.live-check input { width: 16px; height: 16px; margin: 0; accent-color: var(--accent); }
.live [hidden] { display: none !important; }
.live-note { margin: 6px 2px 0; color: var(--soft); font-size: 12px; }
.live :is(input, select, button):focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
`;
const ICON = {
  play: '<svg width="14" height="14" viewBox="0 0 14 14"><path fill="currentColor" d="M3 1.2 13 7 3 12.8z"/></svg>',
  pause: '<svg width="14" height="14" viewBox="0 0 14 14"><path fill="currentColor" d="M2.5 1.5h3v11h-3zM8.5 1.5h3v11h-3z"/></svg>',
  again: '<svg width="13" height="13" viewBox="0 0 14 14"><path fill="none" stroke="currentColor" stroke-width="1.8" d="M3.2 3.4A5.2 5.2 0 1 1 1.8 7.3M3.4.6v3.2h3.2"/></svg>',
};

const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};
// A focusable element keeps its keys: JupyterLab and reveal.js would take arrows, Space and "d d" for themselves.
const own = (node) => { node.setAttribute("data-lm-suppress-shortcuts", "true"); return node; };
const text = (value) => typeof value === "number" ? String(Number(value.toPrecision(4))).replace("-", "−") : String(value);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const bytes = (view) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength); // aligned, unlike the message
const nearest = (values, value) => values.reduce((best, v, i) => Math.abs(v - value) < Math.abs(values[best] - value) ? i : best, 0);

// ------------------------------------------------------------------------------------------------------- marks
const outlines = new Map(); // SVG path data -> Path2D
const outline = (data) => { if (!outlines.has(data)) outlines.set(data, new Path2D(data)); return outlines.get(data); };
const at = (value, i) => Array.isArray(value) ? value[i % value.length] : value;

// The items [first, last) that are shown at step k; `every`: one item for so many steps (markers on a line).
function shown(mark, items, k) {
  if (!mark.show) return [0, items];
  const [how, each] = mark.show, every = mark.every ?? 1, unit = each * (mark.items ?? 1);
  if (every > 1) return [how === "head" ? Math.ceil(k / every) : 0, Math.min(items, Math.floor(k / every) + 1)];
  return [how === "head" ? k * unit : 0, Math.min(items, (k + 1) * unit)];
}

function stroke(context, mark, i) {
  context.strokeStyle = at(mark.stroke, i);
  context.lineWidth = at(mark.width, i);
}

const draw = {
  poly(context, mark, xy, k) {
    context.setLineDash(mark.dash);
    context.lineCap = mark.cap === "projecting" ? "square" : mark.cap;
    const pieces = typeof mark.n === "number" ? [mark.n] : mark.n, single = typeof mark.n === "number";
    const [first, last] = shown(mark, single ? mark.n : pieces.length, k);
    const uniform = !Array.isArray(mark.fill) && !Array.isArray(mark.stroke) && !Array.isArray(mark.width);
    const paint = (i) => {
      if (mark.fill) { context.fillStyle = at(mark.fill, i); context.fill(); }
      if (mark.stroke && at(mark.width, i) > 0 && at(mark.stroke, i)) { stroke(context, mark, i); context.stroke(); }
    };
    let start = mark.from;
    if (uniform) context.beginPath();
    pieces.forEach((count, piece) => {
      const from = start + (single ? first : 0), to = start + (single ? last : count);
      start += count;
      if (!single && (piece < first || piece >= last)) return;
      if (!uniform) context.beginPath();
      let pen = false;
      for (let i = from; i < to; i++) {
        const x = xy[2 * i], y = xy[2 * i + 1];
        if (x !== x || y !== y) { pen = false; continue; } // NaN: a gap
        if (pen) context.lineTo(x, y); else context.moveTo(x, y);
        pen = true;
      }
      if (!uniform) paint(piece);
    });
    if (uniform) paint(0);
  },
  dots(context, mark, xy, k) {
    context.setLineDash([]);
    const path = outline(mark.path), [first, last] = shown(mark, mark.count, k);
    if (last - first > 8 && mark.fill && typeof mark.fill === "string" && mark.fill.length === 7 && typeof mark.size === "number"
        && (!mark.width || mark.stroke === mark.fill || !mark.stroke)) { // opaque and plain: one path for all, much faster
      const all = new Path2D();
      for (let i = first; i < last; i++) {
        const x = xy[2 * (mark.from + i)], y = xy[2 * (mark.from + i) + 1];
        if (x === x && y === y && Math.abs(x) < 1e5 && Math.abs(y) < 1e5) all.addPath(path, { a: mark.size, d: mark.size, e: x, f: y });
      }
      context.fillStyle = mark.fill;
      context.fill(all);
      if (mark.stroke && mark.width) { context.strokeStyle = mark.stroke; context.lineWidth = mark.width; context.stroke(all); }
      return;
    }
    for (let i = first; i < last; i++) {
      const x = xy[2 * (mark.from + i)], y = xy[2 * (mark.from + i) + 1], size = at(mark.size, i);
      if (x !== x || y !== y || Math.abs(x) > 1e5 || Math.abs(y) > 1e5 || !size) continue;
      context.save();
      context.translate(x, y);
      context.scale(size, size);
      const fill = at(mark.fill, i), line = at(mark.stroke, i), width = at(mark.width, i);
      if (fill) { context.fillStyle = fill; context.fill(path); }
      if (line && width > 0) { context.strokeStyle = line; context.lineWidth = width / size; context.stroke(path); }
      context.restore();
    }
  },
  text(context, mark, xy, k, glyphs) {
    context.save();
    context.fillStyle = mark.fill;
    context.translate(...mark.at);
    context.rotate(-mark.angle * Math.PI / 180);
    context.scale(mark.size, -mark.size);
    for (let i = 0; i < mark.letters.length; i += 4) {
      const [glyph, x, y, scale] = mark.letters.slice(i, i + 4);
      context.save();
      context.translate(x, y);
      context.scale(scale, scale);
      context.fill(outline(glyphs[glyph]));
      context.restore();
    }
    for (const rule of mark.rules) context.fillRect(...rule);
    context.restore();
  },
  captions(context, mark, xy, k, glyphs) { // one text for each step, or for a trail all up to it, joined by spaces
    const [first, last] = shown(mark, mark.lines.length, k);
    const letters = [...mark.lines.slice(first, last).join(" ")].map((c) => mark.alphabet[c] ?? [-1, 30]);
    const length = letters.reduce((sum, [, advance]) => sum + advance, 0);
    let x = -mark.align * length;
    const placed = letters.flatMap(([glyph, advance]) => { x += advance; return glyph < 0 ? [] : [glyph, x - advance, 0, 1]; });
    draw.text(context, { ...mark, letters: placed, rules: [] }, xy, k, glyphs);
  },
  image(context, mark) {
    if (!mark.bitmap) { // kept with the mark, which lives as long as its scene
      mark.bitmap = new OffscreenCanvas(...mark.shape);
      const pixels = new ImageData(new Uint8ClampedArray(bytes(mark.rgba)), ...mark.shape);
      mark.bitmap.getContext("2d").putImageData(pixels, 0, 0);
    }
    const [x, y, width, height] = mark.box;
    context.save();
    context.imageSmoothingEnabled = mark.smooth;
    context.translate(x, y);
    context.scale(Math.sign(width), Math.sign(height));
    context.drawImage(mark.bitmap, 0, 0, Math.abs(width), Math.abs(height));
    context.restore();
  },
};

function paint(context, scene, xy, glyphs, k, ratio) {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  context.scale(ratio, ratio);
  context.lineJoin = "round";
  for (const mark of scene.marks) {
    context.save();
    if (mark.clip) {
      const [x0, y0, x1, y1] = mark.clip;
      context.beginPath();
      context.rect(x0, y0, x1 - x0, y1 - y0);
      context.clip();
    }
    draw[mark.kind](context, mark, xy, k, glyphs);
    context.restore();
  }
}

// ---------------------------------------------------------------------------------------------------- controls
// Each returns [element, show(value)]; `send(value)` is what a reader's action calls.
const controls = {
  slider(spec, send) {
    const output = make("output"), input = own(make("input", { type: "range", min: 0, max: spec.values.length - 1, step: 1, "aria-label": spec.label }));
    const show = (value) => {
      const i = nearest(spec.values, value);
      input.value = i;
      input.style.setProperty("--at", `${100 * i / (spec.values.length - 1)}%`);
      output.textContent = text(value);
      input.setAttribute("aria-valuetext", text(value));
    };
    input.addEventListener("input", () => { const value = spec.values[input.value]; show(value); send(value); });
    return [make("label", {}, make("div", { class: "live-head" }, spec.label, output), input), show];
  },
  choice(spec, send) {
    const select = own(make("select", { "aria-label": spec.label }, ...spec.options.map((o) => make("option", {}, String(o)))));
    select.addEventListener("input", () => send(spec.options[select.selectedIndex]));
    return [make("label", {}, make("div", { class: "live-head" }, spec.label), select),
      (value) => { select.selectedIndex = spec.options.indexOf(value); }];
  },
  choices(spec, send) {
    let chosen = [];
    const chips = spec.options.map((option, i) => {
      const chip = own(make("button", { type: "button", class: "live-chip", ...(spec.colors[i] ? { style: `--dot:${spec.colors[i]}` } : {}) }, String(option)));
      chip.addEventListener("click", () => {
        show(spec.options.filter((o) => (o === option) !== chosen.includes(o)));
        send(chosen);
      });
      return chip;
    });
    const show = (value) => { chosen = [...value]; chips.forEach((chip, i) => chip.setAttribute("aria-pressed", chosen.includes(spec.options[i]))); };
    return [make("div", { class: "live-wide", role: "group", "aria-label": spec.label }, make("span", {}, spec.label), ...chips), show];
  },
  toggle(spec, send) {
    const input = own(make("input", { type: "checkbox", "aria-label": spec.label }));
    input.addEventListener("input", () => send(input.checked));
    return [make("label", { class: "live-check" }, input, spec.label), (value) => { input.checked = value; }];
  },
};

// A player: button, scrubber, restart. The step never goes to the kernel while it moves; `settled(k)` comes when it rests.
function player(spec, repaint, settled) {
  const toggle = own(make("button", { type: "button", class: "live-round" }));
  const again = own(make("button", { type: "button", class: "live-round again", "aria-label": "back to the start", title: "back to the start" }));
  const input = own(make("input", { type: "range", min: 0, step: 1, "aria-label": spec.label })), output = make("output");
  again.innerHTML = ICON.again;
  let k = 0, n = 0, timer = 0, rest = 0, begun = 0, origin = 0, moving = null;
  const rate = () => spec.fps ?? clamp(n / 5, 2, 60);
  const show = () => {
    input.value = k;
    input.style.setProperty("--at", `${n ? 100 * k / n : 100}%`);
    output.textContent = `${k} / ${n}`;
    input.setAttribute("aria-valuetext", `${k} of ${n}`);
    if (!!timer === moving) return;
    moving = !!timer;
    toggle.innerHTML = moving ? ICON.pause : ICON.play;
    toggle.setAttribute("aria-label", moving ? "pause" : "play");
  };
  const go = (step) => {
    k = clamp(Math.round(step), 0, n);
    show();
    repaint();
    clearTimeout(rest);
    if (!timer) rest = setTimeout(() => settled(k), 250);
  };
  const stop = () => { cancelAnimationFrame(timer); timer = 0; go(k); };
  const tick = (now) => {
    const step = Math.min(n, origin + Math.floor((now - begun) * rate() / 1000));
    if (step >= n) { k = n; stop(); return; }
    timer = requestAnimationFrame(tick);
    if (step !== k) go(step);
  };
  const play = () => {
    origin = k >= n ? 0 : k;
    begun = performance.now();
    timer = requestAnimationFrame(tick);
    go(origin);
  };
  toggle.addEventListener("click", () => timer ? stop() : play());
  again.addEventListener("click", () => { cancelAnimationFrame(timer); timer = 0; go(0); });
  input.addEventListener("input", () => { cancelAnimationFrame(timer); timer = 0; go(Number(input.value)); });
  return {
    element: make("div", { class: "live-bar" }, toggle, again, make("span", { class: "live-head" }, spec.label), input, output),
    get step() { return k; },
    set(value) { if (!timer && value !== k) { k = clamp(value, 0, n); show(); } },
    limit(last) { // a new run: stay at the end if we were there, as live.py does
      const end = k >= n;
      if (last === n) return;
      n = last;
      input.max = n;
      k = end && !timer ? n : Math.min(k, n);
      if (timer) { origin = k; begun = performance.now(); }
      show();
    },
    close() { cancelAnimationFrame(timer); clearTimeout(rest); },
  };
}

// Data coordinates <-> fractions of the axes, on linear and logarithmic axes.
const fraction = ([low, high, scale], value) => scale === "log" ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
const inverse = ([low, high, scale], u) => scale === "log" ? low * (high / low) ** u : low + u * (high - low);
const tidy = ([low, high, scale], value) => {
  const digits = scale === "log" ? null : Math.max(0, Math.ceil(3 - Math.log10(Math.abs(high - low))));
  return clamp(Number(digits === null ? value.toPrecision(4) : value.toFixed(Math.min(digits, 100))), Math.min(low, high), Math.max(low, high));
};

// ------------------------------------------------------------------------------------------------------ figure
function render({ model, el }) {
  const figure = model.get("_figure"), [width, height] = figure.size;
  const picture = make("img", { alt: figure.alt }), canvas = make("canvas");
  const stage = make("div", { class: "live-stage", style: `aspect-ratio:${width}/${height}` }, picture, canvas);
  const problem = make("div", { class: "live-error", role: "alert" });
  const root = make("div", { class: "live", style: `width:${width}px` }, make("style", {}, STYLE), stage);
  const context = canvas.getContext("2d"), full = [2 * width, 2 * height]; // pixels of the kernel's picture
  const resize = () => { // as many pixels as the screen shows: four times fewer to paint on a plain display
    const ratio = Math.min(2, Math.max(1, window.devicePixelRatio || 1)) / 2;
    if (canvas.width !== Math.round(ratio * full[0])) [canvas.width, canvas.height] = full.map((v) => Math.round(ratio * v));
    return canvas.width / full[0];
  };
  const shows = {}, points = [];
  let scene = { marks: [], axes: [], n: 0 }, xy = new Float32Array(), busy = null, held = null, url = null, ready = false;

  const conditional = []; // [element, its `when`]: controls that only some values of others bring up
  const reveal = (now) => conditional.forEach(([element, when]) => {
    element.hidden = !Object.entries(when).every(([name, v]) => now[name] === v || (Array.isArray(now[name]) && now[name].includes(v)));
  });
  const send = (name, value) => {
    model.set("_values", { ...model.get("_values"), ...(bar ? { [play.name]: bar.step } : {}), [name]: value });
    model.save_changes();
    reveal(model.get("_values"));
  };
  const repaint = () => {
    if (!ready) return;
    paint(context, scene, xy, model.get("_glyphs"), bar ? bar.step : 0, resize());
    root.dataset.painted = Number(root.dataset.painted ?? 0) + 1; // tests wait for it
  };

  const play = figure.controls.find((spec) => spec.kind === "play");
  const bar = play && player(play, repaint, (k) => { if (model.get("_values")[play.name] !== k) send(play.name, k); });
  if (bar) root.append(bar.element);
  const grid = make("div", { class: "live-grid" });
  for (const spec of figure.controls) {
    if (!controls[spec.kind]) continue;
    const [element, show] = controls[spec.kind](spec, (value) => send(spec.name, value));
    element.dataset.control = spec.name;
    if (spec.when) { conditional.push([element, spec.when]); element.dataset.when = JSON.stringify(spec.when); }
    shows[spec.name] = show;
    grid.append(element);
  }
  if (grid.children.length) root.append(grid);
  for (const spec of figure.controls.filter((s) => s.kind === "point")) points.push(point(spec));
  stage.append(problem);
  if (figure.note) root.append(make("div", { class: "live-note" }, figure.note));

  function point(spec) {
    const handle = own(make("button", { type: "button", class: spec.handle ? "live-point" : "live-point bare" }));
    let value = [0, 0];
    const axes = () => scene.axes[spec.ax];
    const show = (v) => {
      value = v;
      if (!axes()) return;
      const { box, x, y } = axes(), [u, w] = [fraction(x, v[0]), fraction(y, v[1])];
      handle.style.left = `${100 * (box[0] + u * (box[2] - box[0])) / full[0]}%`;
      handle.style.top = `${100 * (box[3] - w * (box[3] - box[1])) / full[1]}%`;
      handle.hidden = !(u >= -1e-6 && u <= 1 + 1e-6 && w >= -1e-6 && w <= 1 + 1e-6);
      handle.setAttribute("aria-label", `${spec.label} (${text(v[0])}, ${text(v[1])}), move with the arrow keys`);
    };
    const move = (u, w) => {
      const { x, y } = axes();
      show([tidy(x, inverse(x, clamp(u, 0, 1))), tidy(y, inverse(y, clamp(w, 0, 1)))]);
      send(spec.name, value);
    };
    const place = (event) => { // pointer -> fractions of the axes; the canvas may be scaled by the page
      const area = canvas.getBoundingClientRect(), { box } = axes();
      const px = (event.clientX - area.left) * full[0] / area.width, py = (event.clientY - area.top) * full[1] / area.height;
      return [(px - box[0]) / (box[2] - box[0]), (box[3] - py) / (box[3] - box[1])];
    };
    const inside = ([u, w]) => u >= 0 && u <= 1 && w >= 0 && w <= 1;
    const drag = (event, node) => {
      event.preventDefault();
      handle.focus({ preventScroll: true, focusVisible: false });
      node.setPointerCapture(event.pointerId);
      const follow = (e) => move(...place(e));
      node.addEventListener("pointermove", follow);
      node.addEventListener("pointerup", () => node.removeEventListener("pointermove", follow), { once: true });
      node.addEventListener("pointercancel", () => node.removeEventListener("pointermove", follow), { once: true });
      follow(event);
    };
    handle.addEventListener("pointerdown", (event) => drag(event, handle));
    canvas.addEventListener("pointerdown", (event) => { if (event.button === 0 && axes() && inside(place(event))) drag(event, canvas); });
    canvas.addEventListener("pointermove", (event) => { if (axes() && inside(place(event))) canvas.style.cursor = "crosshair"; });
    handle.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 0.1 : 0.02, by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
      if (!by) return;
      event.preventDefault();
      if (model.step) { model.step(spec.name, by); return; } // baked: to the next place in this direction
      const { x, y } = axes();
      move(fraction(x, value[0]) + by[0], fraction(y, value[1]) + by[1]);
    });
    handle.dataset.control = spec.name;
    shows[spec.name] = show;
    stage.append(handle);
    return () => show(value);
  }
  if (points.length) canvas.addEventListener("pointermove", () => { canvas.style.cursor = ""; }, { capture: true });

  // ---- from the kernel
  const values = () => {
    const now = model.get("_values");
    for (const [name, show] of Object.entries(shows)) if (now[name] !== undefined) show(now[name]);
    if (bar) { bar.set(now[play.name]); }
    reveal(now);
  };
  const take = (next) => {
    scene = next;
    if (next.xy) xy = next.xy instanceof Float32Array ? next.xy : new Float32Array(bytes(next.xy));
    problem.textContent = next.error || "";
    if (bar) bar.limit(next.n);
    points.forEach((replace) => replace());
    repaint();
  };
  const update = async () => { // a new background and its marks appear together
    const next = model.get("_scene"), background = model.get("_background");
    if (background === held) { if (!busy && next !== scene) take(next); return; }
    held = background;
    const source = typeof background === "string" ? background : URL.createObjectURL(new Blob([bytes(background)], { type: "image/png" }));
    const image = new Image();
    image.src = source;
    busy = image;
    try { await image.decode(); } catch { /* shown as it is */ }
    if (busy !== image) { if (source !== background) URL.revokeObjectURL(source); return; }
    busy = null;
    picture.src = source;
    if (url) URL.revokeObjectURL(url);
    url = source === background ? null : source;
    ready = true;
    take(model.get("_scene"));
  };
  // "change" comes once a message, after all of its traits; painting at once, not at the next frame, is half a frame sooner.
  model.on("change:_values", values);
  model.on("change", update);
  window.addEventListener("resize", repaint); // also when the page is zoomed
  for (const kind of ["keydown", "keyup", "keypress"]) root.addEventListener(kind, (event) => event.stopPropagation());

  values();
  if (bar) { bar.limit(model.get("_scene").n); bar.set(model.get("_values")[play.name]); }
  update();
  el.append(root);
  return () => {
    bar?.close();
    if (url) URL.revokeObjectURL(url);
    model.off("change", update);
    model.off("change:_values", values);
    window.removeEventListener("resize", repaint);
  };
}

// ------------------------------------------------------------------------------------- baked: without a kernel
const decode = async (text) => {
  const stream = new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
};

// Vertices from differences of int16, all x before all y, low bytes before high bytes: see _squeeze in baking.py.
function vertices(packed, degree, quantum) {
  const count = packed.length / 4, xy = new Float32Array(2 * count);
  for (let axis = 0; axis < 2; axis++) {
    let value = 0, slope = 0;
    for (let i = 0, j = axis * count; i < count; i++, j++) {
      const step = packed[j] | (packed[j + 2 * count] << 8);
      if (degree === 2) { slope = (slope + step) & 0xffff; value = (value + slope) & 0xffff; } else value = (value + step) & 0xffff;
      xy[2 * i + axis] = value === 0x8000 ? NaN : quantum * ((value << 16) >> 16);
    }
  }
  return xy;
}

// A model whose frames come from a table: the same interface as the kernel's.
async function table(data) {
  const body = JSON.parse(new TextDecoder().decode(await decode(data.body)));
  const xy = vertices(await decode(data.vertices), data.degree, data.quantum);
  for (const frame of body.frames) {
    for (const mark of frame.scene.marks) if (mark.rgba) { const raw = await decode(mark.rgba); mark.rgba = new DataView(raw.buffer); }
  }
  const play = body.figure.controls.find((spec) => spec.kind === "play"), points = body.figure.controls.filter((s) => s.kind === "point");
  const switches = body.figure.controls.filter((spec) => spec.kind === "choices").map((spec) => spec.name);
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  let frame = body.frames[body.first], asked = null;
  const heard = {}, state = { _figure: body.figure, _glyphs: body.glyphs };

  function apply(values) {
    const marks = frame.scene.marks.filter((mark) => !mark.if || values[mark.if[0]].includes(mark.if[1]));
    const count = Math.max(0, ...frame.scene.marks.map((mark) => (mark.from ?? 0) + (mark.count ?? 0)));
    state._scene = { ...frame.scene, marks, xy: xy.subarray(2 * frame.from, 2 * (frame.from + count)) };
    state._background = `data:image/webp;base64,${data.pictures[frame.picture]}`;
    const kept = Object.fromEntries([...switches, ...(play ? [play.name] : [])].map((name) => [name, values[name]]));
    state._values = { ...frame.values, ...kept };
  }
  // How far a frame is from what was asked: a control that was not touched must stay, a touched one comes as near as it can.
  function distance(candidate, values, touched) {
    let sum = 0;
    for (const name of data.vary) {
      const point = points.find((spec) => spec.name === name), want = values[name], has = candidate.values[name];
      if (point) {
        const { x, y } = candidate.scene.axes[point.ax];
        sum += Math.hypot(fraction(x, want[0]) - fraction(x, has[0]), fraction(y, want[1]) - fraction(y, has[1]));
      } else if (typeof want === "number" && typeof has === "number") {
        const all = body.figure.controls.find((spec) => spec.name === name)?.values;
        sum += all ? 10 * Math.abs(nearest(all, want) - nearest(all, has)) : same(want, has) ? 0 : 1e6;
      } else if (!same(want, has)) sum += touched.includes(name) ? 1e6 : 1e3;
    }
    return sum;
  }
  const tell = () => {
    for (const event of ["change:_values", "change"]) for (const listener of heard[event] ?? []) listener();
  };
  apply(frame.values);
  return {
    step(name, [du, dw]) { // to the nearest other place of a point within 60 degrees of a direction
      const spec = points.find((p) => p.name === name), others = data.vary.filter((other) => other !== name);
      const place = (candidate) => { const { x, y } = candidate.scene.axes[spec.ax], v = candidate.values[name]; return [fraction(x, v[0]), fraction(y, v[1])]; };
      const [u, w] = place(frame), length = Math.hypot(du, dw);
      const reach = body.frames.filter((candidate) => others.every((other) => same(candidate.values[other], frame.values[other]))).map((candidate) => {
        const [a, b] = place(candidate), far = Math.hypot(a - u, b - w);
        return [far > 1e-9 && (a - u) * du + (b - w) * dw >= 0.5 * far * length ? far : Infinity, candidate];
      }).sort((a, b) => a[0] - b[0]);
      if (reach[0][0] === Infinity) return;
      frame = reach[0][1];
      apply({ ...state._values });
      tell();
    },
    get: (name) => state[name],
    set: (name, value) => { if (name === "_values") asked = value; },
    on: (event, listener) => { (heard[event] ??= new Set()).add(listener); },
    off: (event, listener) => { heard[event]?.delete(listener); },
    save_changes() {
      const touched = Object.keys(asked).filter((name) => !same(asked[name], state._values[name]));
      if (touched.some((name) => data.vary.includes(name))) {
        const placed = points.map((p) => p.name), menu = touched.some((name) => typeof asked[name] === "string");
        const want = menu ? { ...asked, ...Object.fromEntries(placed.map((name) => [name, null])) } : asked;
        const options = body.frames.map((candidate) => {
          // A menu that changes takes the place that the figure has for it: the first of its frames.
          const values = menu ? { ...want, ...Object.fromEntries(placed.map((name) => [name, candidate.values[name]])) } : want;
          return distance(candidate, values, touched);
        });
        frame = body.frames[options.indexOf(Math.min(...options))];
      }
      apply(asked);
      tell();
    },
  };
}

// Brings every baked figure of the page to life; called by the page itself (baked_html).
async function awaken() {
  for (const el of document.querySelectorAll(".live-baked:not([data-awake])")) {
    el.dataset.awake = "";
    el.model = await table(JSON.parse(el.querySelector("script").textContent));
    render({ model: el.model, el });
  }
}

export default { render };
