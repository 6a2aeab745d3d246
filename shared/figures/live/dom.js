// Small helpers: elements of the page, numbers, and the scales of matplotlib's axes.

export const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};
// A focusable element keeps its keys: JupyterLab and reveal.js would take arrows, Space and "d d" for themselves.
export const own = (node) => { node.setAttribute("data-lm-suppress-shortcuts", "true"); return node; };

export const text = (value) =>
  typeof value === "number" ? String(Number(value.toPrecision(4))).replace("-", "−") : String(value);
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
export const nearest = (values, value) =>
  values.reduce((best, v, i) => Math.abs(v - value) < Math.abs(values[best] - value) ? i : best, 0);
// A buffer of its own: aligned, unlike the message that it came in.
export const bytes = (view) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);

// Data coordinates <-> fractions of the axes, on linear and logarithmic axes [low, high, scale].
export const fraction = ([low, high, scale], value) =>
  scale === "log" ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
export const inverse = ([low, high, scale], u) =>
  scale === "log" ? low * (high / low) ** u : low + u * (high - low);
export const tidy = ([low, high, scale], value) => { // as many digits as a pixel can tell
  const digits = scale === "log" ? null : Math.max(0, Math.ceil(3 - Math.log10(Math.abs(high - low))));
  const short = Number(digits === null ? value.toPrecision(4) : value.toFixed(Math.min(digits, 100)));
  return clamp(short, Math.min(low, high), Math.max(low, high));
};
