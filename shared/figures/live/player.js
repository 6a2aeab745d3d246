// The Play control: button, scrubber, restart. It moves without the kernel, which learns the step when it rests.
import { clamp, make, own } from "./dom.js";

const icon = (size, path) => `<svg width="${size}" height="${size}" viewBox="0 0 14 14">${path}</svg>`;
const ICON = {
  play: icon(14, '<path fill="currentColor" d="M3 1.2 13 7 3 12.8z"/>'),
  pause: icon(14, '<path fill="currentColor" d="M2.5 1.5h3v11h-3zM8.5 1.5h3v11h-3z"/>'),
  again: icon(13, '<path fill="none" stroke="currentColor" stroke-width="1.8"'
    + ' d="M3.2 3.4A5.2 5.2 0 1 1 1.8 7.3M3.4.6v3.2h3.2"/>'),
};
const REST = 250; // ms without a move

// `repaint()` whenever the step k changes; `settled()` when it rests.
export function player(spec, repaint, settled) {
  const round = (more) => own(make("button", { type: "button", class: "live-round", ...more }));
  const start = "back to the start";
  const toggle = round(), again = round({ class: "live-round again", "aria-label": start, title: start });
  const input = own(make("input", { type: "range", min: 0, step: 1, "aria-label": spec.label }));
  const output = make("output");
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
    rest = timer ? 0 : setTimeout(() => { rest = 0; settled(); }, REST);
  };
  const halt = () => { cancelAnimationFrame(timer); timer = 0; };
  const tick = (now) => {
    const step = Math.min(n, origin + Math.floor((now - begun) * rate() / 1000));
    if (step >= n) { halt(); go(n); return; }
    timer = requestAnimationFrame(tick);
    if (step !== k) go(step);
  };
  const play = () => {
    origin = k >= n ? 0 : k;
    begun = performance.now();
    timer = requestAnimationFrame(tick);
    go(origin);
  };
  toggle.addEventListener("click", () => { if (timer) { halt(); go(k); } else play(); });
  again.addEventListener("click", () => { halt(); go(0); });
  input.addEventListener("input", () => { halt(); go(Number(input.value)); });
  const label = make("span", { class: "live-head" }, spec.label);
  return {
    element: make("div", { class: "live-bar" }, toggle, again, label, input, output),
    get step() { return k; },
    set(value) { // the kernel's; whether that is news. While the hand moves, it goes first
      if (timer || rest || value === k) return false;
      k = clamp(value, 0, n);
      show();
      return true;
    },
    limit(last) { // a new run: stay at the end if we were there, as Play.follow in controls.py does
      const end = k >= n;
      if (last === n) return;
      n = last;
      input.max = n;
      k = end && !timer ? n : Math.min(k, n);
      if (timer) { origin = k; begun = performance.now(); }
      show();
    },
    close() { halt(); clearTimeout(rest); },
  };
}
