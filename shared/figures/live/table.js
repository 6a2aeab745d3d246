// A baked figure: a model whose frames come from a table (baking.py) and that answers as the kernel's does.
import { fraction, nearest } from "./dom.js";
import { render } from "./figure.js";
import { values } from "./hand.js";

const decode = async (base64) => {
  const packed = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
  const stream = packed.stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
};

// Vertices from differences of int16, all x before all y, low bytes before high bytes: see `squeeze` in baking.py.
function vertices(packed, degree, quantum) {
  const count = packed.length / 4, xy = new Float32Array(2 * count);
  for (let axis = 0; axis < 2; axis++) {
    let value = 0, slope = 0;
    for (let i = 0, j = axis * count; i < count; i++, j++) {
      let step = packed[j] | (packed[j + 2 * count] << 8);
      if (degree === 2) step = slope = (slope + step) & 0xffff;
      value = (value + step) & 0xffff;
      xy[2 * i + axis] = value === 0x8000 ? NaN : quantum * ((value << 16) >> 16);
    }
  }
  return xy;
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

async function table(data) {
  const body = JSON.parse(new TextDecoder().decode(await decode(data.body)));
  const xy = vertices(await decode(data.vertices), data.degree, data.quantum);
  for (const mark of body.frames.flatMap(({ scene }) => scene.marks)) {
    if (mark.rgba) mark.rgba = new DataView((await decode(mark.rgba)).buffer);
  }
  const specs = Object.fromEntries(body.figure.controls.map((spec) => [spec.name, spec]));
  const named = (kind) => Object.keys(specs).filter((name) => specs[name].kind === kind);
  const points = named("point"), kept = [...named("choices"), ...named("play")]; // these need no other frame
  const state = { _figure: body.figure, _glyphs: body.glyphs, _hand: [], _answered: 0 };
  const listeners = new Set();
  let frame = body.frames[body.first];

  // Where a point is in a frame, as fractions of its axes.
  const place = ({ scene, values }, name, value = values[name]) => {
    const { x, y } = scene.axes[specs[name].ax];
    return [fraction(x, value[0]), fraction(y, value[1])];
  };
  // How far a frame is from what is asked: a control that was not touched must stay, a touched one comes as near as it
  // can.
  function distance(candidate, asked, touched) {
    let sum = 0;
    for (const name of data.vary) {
      const want = asked[name], has = candidate.values[name];
      if (points.includes(name)) {
        const [a, b] = place(candidate, name, want), [u, w] = place(candidate, name);
        sum += Math.hypot(a - u, b - w);
      } else if (typeof want === "number" && typeof has === "number") {
        const all = specs[name]?.values;
        sum += all ? 10 * Math.abs(nearest(all, want) - nearest(all, has)) : same(want, has) ? 0 : 1e6;
      } else if (!same(want, has)) sum += touched.includes(name) ? 1e6 : 1e3;
    }
    return sum;
  }
  function find(asked, touched) {
    const menu = touched.some((name) => typeof asked[name] === "string");
    const distances = body.frames.map((candidate) => {
      // A menu that changes takes the place that the figure has for it: the first of its frames.
      const own = menu ? Object.fromEntries(points.map((name) => [name, candidate.values[name]])) : {};
      return distance(candidate, { ...asked, ...own }, touched);
    });
    return body.frames[distances.indexOf(Math.min(...distances))];
  }
  // Shows a frame, with what needs no other frame as it is asked.
  function show(next, asked) {
    frame = next;
    const marks = frame.scene.marks.filter((mark) => !mark.if || asked[mark.if[0]].includes(mark.if[1]));
    const count = Math.max(0, ...frame.scene.marks.map((mark) => (mark.from ?? 0) + (mark.count ?? 0)));
    state._scene = { ...frame.scene, marks, xy: xy.subarray(2 * frame.from, 2 * (frame.from + count)) };
    state._background = `data:image/webp;base64,${data.pictures[frame.picture]}`;
    state._values = { ...frame.values, ...Object.fromEntries(kept.map((name) => [name, asked[name]])) };
    for (const listener of listeners) listener();
  }
  show(frame, frame.values);

  return {
    get: (name) => state[name],
    set: (name, value) => { state[name] = value; },
    on: (event, listener) => { listeners.add(listener); },
    off: (event, listener) => { listeners.delete(listener); },
    save_changes() {
      const asked = values(this);
      state._answered = Math.max(...state._hand.map(([number]) => number));
      this.ask(asked);
    },
    ask(asked) { // the frame that comes nearest to these values
      const touched = Object.keys(asked).filter((name) => !same(asked[name], state._values[name]));
      show(touched.some((name) => data.vary.includes(name)) ? find(asked, touched) : frame, asked);
    },
    step(name, [du, dw]) { // to the nearest other place of a point within 60 degrees of a direction
      const others = data.vary.filter((other) => other !== name), [u, w] = place(frame, name);
      const reach = body.frames.filter((f) => others.every((other) => same(f.values[other], frame.values[other])));
      const far = reach.map((candidate) => {
        const [a, b] = place(candidate, name), length = Math.hypot(a - u, b - w);
        const ahead = (a - u) * du + (b - w) * dw >= 0.5 * length * Math.hypot(du, dw);
        return length > 1e-9 && ahead ? length : Infinity;
      });
      const best = Math.min(...far);
      if (best < Infinity) show(reach[far.indexOf(best)], state._values);
    },
  };
}

// Brings every baked figure of the page to life.
export async function awaken() {
  for (const el of document.querySelectorAll(".live-baked:not([data-awake])")) {
    el.dataset.awake = "";
    el.model = await table(JSON.parse(el.querySelector("script").textContent));
    render({ model: el.model, el });
  }
}

export default { render };
