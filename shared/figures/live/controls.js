// The other controls as native inputs. Each returns [element, show(value)]; a reader's action calls send(value).
import { make, nearest, own, text } from "./dom.js";

export const controls = {
  slider(spec, send) {
    const last = spec.values.length - 1, output = make("output");
    const input = own(make("input", { type: "range", min: 0, max: last, step: 1, "aria-label": spec.label }));
    const show = (value) => {
      const i = nearest(spec.values, value);
      input.value = i;
      input.style.setProperty("--at", `${100 * i / last}%`);
      output.textContent = text(value);
      input.setAttribute("aria-valuetext", text(value));
    };
    input.addEventListener("input", () => { const value = spec.values[input.value]; show(value); send(value); });
    return [make("label", {}, make("div", { class: "live-head" }, spec.label, output), input), show];
  },
  choice(spec, send) {
    const options = spec.options.map((option) => make("option", {}, String(option)));
    const select = own(make("select", { "aria-label": spec.label }, ...options));
    select.addEventListener("input", () => send(spec.options[select.selectedIndex]));
    return [make("label", {}, make("div", { class: "live-head" }, spec.label), select),
      (value) => { select.selectedIndex = spec.options.indexOf(value); }];
  },
  choices(spec, send) {
    let chosen = [];
    const chips = spec.options.map((option, i) => {
      const dot = spec.colors[i] ? { style: `--dot:${spec.colors[i]}` } : {};
      const chip = own(make("button", { type: "button", class: "live-chip", ...dot }, String(option)));
      chip.addEventListener("click", () => {
        show(spec.options.filter((o) => (o === option) !== chosen.includes(o)));
        send(chosen);
      });
      return chip;
    });
    const show = (value) => {
      chosen = [...value];
      chips.forEach((chip, i) => chip.setAttribute("aria-pressed", chosen.includes(spec.options[i])));
    };
    const group = { class: "live-wide", role: "group", "aria-label": spec.label };
    return [make("div", group, make("span", {}, spec.label), ...chips), show];
  },
  toggle(spec, send) {
    const input = own(make("input", { type: "checkbox", "aria-label": spec.label }));
    input.addEventListener("input", () => send(input.checked));
    return [make("label", { class: "live-check" }, input, spec.label), (value) => { input.checked = value; }];
  },
};

// Whether a control is shown at these values of all: Control.shown in controls.py says the same.
export const isShown = (when, values) => Object.entries(when ?? {}).every(([name, value]) =>
  values[name] === value || (Array.isArray(values[name]) && values[name].includes(value)));
