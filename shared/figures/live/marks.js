// Paints marks (artists.py) on a canvas: `draw` has one function for each kind, `paint` draws a whole scene.
import { bytes } from "./dom.js";

const outlines = new Map(); // SVG path data -> Path2D
const outline = (data) => {
  if (!outlines.has(data)) outlines.set(data, new Path2D(data));
  return outlines.get(data);
};
const at = (value, i) => Array.isArray(value) ? value[i % value.length] : value;
const FAR = 1e5; // pixels: dots farther away than this are not drawn

// The items [first, last) that are shown at step k; `every`: one item for so many steps (markers on a line).
function shown(mark, items, k) {
  if (!mark.show) return [0, items];
  const [how, each] = mark.show, every = mark.every ?? 1, unit = each * (mark.items ?? 1);
  if (every > 1) return [how === "head" ? Math.ceil(k / every) : 0, Math.min(items, Math.floor(k / every) + 1)];
  return [how === "head" ? k * unit : 0, Math.min(items, (k + 1) * unit)];
}

// One line or polygon: vertices [from, to); NaN leaves a gap.
function trace(context, xy, from, to) {
  let pen = false;
  for (let i = from; i < to; i++) {
    const x = xy[2 * i], y = xy[2 * i + 1];
    if (x !== x || y !== y) { pen = false; continue; }
    if (pen) context.lineTo(x, y); else context.moveTo(x, y);
    pen = true;
  }
}

// Opaque and plain dots as one path, which is much faster.
function allDots(context, mark, xy, path, first, last) {
  const all = new Path2D();
  for (let i = first; i < last; i++) {
    const x = xy[2 * (mark.from + i)], y = xy[2 * (mark.from + i) + 1];
    if (x === x && y === y && Math.abs(x) < FAR && Math.abs(y) < FAR) {
      all.addPath(path, { a: mark.size, d: mark.size, e: x, f: y });
    }
  }
  context.fillStyle = mark.fill;
  context.fill(all);
  if (!mark.stroke || !mark.width) return;
  context.strokeStyle = mark.stroke;
  context.lineWidth = mark.width;
  context.stroke(all);
}

const draw = {
  poly(context, mark, xy, k) {
    context.setLineDash(mark.dash);
    context.lineCap = mark.cap === "projecting" ? "square" : mark.cap;
    const single = typeof mark.n === "number", pieces = single ? [mark.n] : mark.n;
    const [first, last] = shown(mark, single ? mark.n : pieces.length, k);
    const uniform = ![mark.fill, mark.stroke, mark.width].some(Array.isArray);
    const paint = (i) => {
      if (mark.fill) { context.fillStyle = at(mark.fill, i); context.fill(); }
      if (!mark.stroke || !(at(mark.width, i) > 0) || !at(mark.stroke, i)) return;
      context.strokeStyle = at(mark.stroke, i);
      context.lineWidth = at(mark.width, i);
      context.stroke();
    };
    let start = mark.from;
    if (uniform) context.beginPath();
    pieces.forEach((count, piece) => {
      const from = start + (single ? first : 0), to = start + (single ? last : count);
      start += count;
      if (!single && (piece < first || piece >= last)) return;
      if (!uniform) context.beginPath();
      trace(context, xy, from, to);
      if (!uniform) paint(piece);
    });
    if (uniform) paint(0);
  },
  dots(context, mark, xy, k) {
    context.setLineDash([]);
    const path = outline(mark.path), [first, last] = shown(mark, mark.count, k);
    const opaque = typeof mark.fill === "string" && mark.fill.length === 7;
    const plain = typeof mark.size === "number" && (!mark.width || mark.stroke === mark.fill || !mark.stroke);
    if (last - first > 8 && opaque && plain) { allDots(context, mark, xy, path, first, last); return; }
    for (let i = first; i < last; i++) {
      const x = xy[2 * (mark.from + i)], y = xy[2 * (mark.from + i) + 1], size = at(mark.size, i);
      if (x !== x || y !== y || Math.abs(x) > FAR || Math.abs(y) > FAR || !size) continue;
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
    const placed = letters.flatMap(([glyph, advance]) => {
      x += advance;
      return glyph < 0 ? [] : [glyph, x - advance, 0, 1];
    });
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

export function paint(context, scene, xy, glyphs, k, ratio) {
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
