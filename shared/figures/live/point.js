// A Point: a handle on the picture that is clicked, dragged, or moved by the arrow keys.
import { clamp, fraction, inverse, own, make, text, tidy } from "./dom.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const inside = ([u, w]) => u >= 0 && u <= 1 && w >= 0 && w <= 1;

// canvas, the size of the kernel's picture in pixels, axes(): where this point's axes are, once that is known.
// send(value) is what a reader's action calls; jump(direction), if any, goes to the next place there instead.
export function point(spec, { canvas, size, axes }, send, jump) {
  const handle = own(make("button", { type: "button", class: spec.handle ? "live-point" : "live-point bare" }));
  let value = [0, 0];
  const show = (next) => {
    value = next;
    if (!axes()) return;
    const { box, x, y } = axes(), u = fraction(x, value[0]), w = fraction(y, value[1]), ε = 1e-6;
    handle.style.left = `${100 * (box[0] + u * (box[2] - box[0])) / size[0]}%`;
    handle.style.top = `${100 * (box[3] - w * (box[3] - box[1])) / size[1]}%`;
    handle.hidden = !(u >= -ε && u <= 1 + ε && w >= -ε && w <= 1 + ε);
    const place = `(${text(value[0])}, ${text(value[1])})`;
    handle.setAttribute("aria-label", `${spec.label} ${place}, move with the arrow keys`);
  };
  const move = (u, w) => {
    const { x, y } = axes();
    show([tidy(x, inverse(x, clamp(u, 0, 1))), tidy(y, inverse(y, clamp(w, 0, 1)))]);
    send(value);
  };
  const place = (event) => { // pointer -> fractions of the axes; the canvas may be scaled by the page
    const area = canvas.getBoundingClientRect(), { box } = axes();
    const px = (event.clientX - area.left) * size[0] / area.width;
    const py = (event.clientY - area.top) * size[1] / area.height;
    return [(px - box[0]) / (box[2] - box[0]), (box[3] - py) / (box[3] - box[1])];
  };
  const drag = (event, node) => {
    event.preventDefault();
    handle.focus({ preventScroll: true, focusVisible: false });
    node.setPointerCapture(event.pointerId);
    const follow = (e) => move(...place(e));
    const release = () => node.removeEventListener("pointermove", follow);
    node.addEventListener("pointermove", follow);
    for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, release, { once: true });
    follow(event);
  };
  const here = (event) => axes() && inside(place(event));
  handle.addEventListener("pointerdown", (event) => drag(event, handle));
  canvas.addEventListener("pointerdown", (event) => { if (event.button === 0 && here(event)) drag(event, canvas); });
  canvas.addEventListener("pointermove", (event) => { if (here(event)) canvas.style.cursor = "crosshair"; });
  handle.addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key], step = event.shiftKey ? 0.1 : 0.02;
    if (!arrow) return;
    event.preventDefault();
    if (jump) { jump(arrow); return; }
    const { x, y } = axes();
    move(fraction(x, value[0]) + step * arrow[0], fraction(y, value[1]) + step * arrow[1]);
  });
  handle.dataset.control = spec.name;
  return { element: handle, show, replace: () => show(value) };
}
