// A deck's own script: formulas, explorers, fitting each slide into 1280 x 720, keys. `data-ready` on <html> tells tests how far it is.
const root = document.documentElement, print = /print-pdf|view=print/.test(location.search);
const ROOM = { width: 1160, height: 652 };
const SMALLEST = { picture: 0.62, code: 15, whole: 0.85 }, LARGEST = { picture: 1.3, whole: 1.22 };
const pause = () => new Promise((resolve) => setTimeout(resolve));
const slides = [...document.querySelectorAll(".slides .body")].map((body) => body.parentElement);
if (print) root.classList.add("reveal-print");

async function unpack(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
}

// ---- fitting. Pictures grow or shrink first, then code, then the whole slide; what is still too much is the author's (data-over, in %).
const natural = new WeakMap();
const pictures = (body) => [...body.querySelectorAll("img.figure, .live-stage")].filter((node) => !node.closest("details:not([open])"));
const widthOf = (node) => {
  if (!natural.has(node)) natural.set(node, node.matches("img") ? node.width || 990 : parseFloat(node.parentElement.style.width));
  return natural.get(node);
};
function fit(section) {
  const body = section.querySelector(":scope > .body"), shown = pictures(body);
  const room = { ...ROOM, height: section.classList.contains("title") ? ROOM.height - 240 : ROOM.height };
  const scaled = (s) => shown.forEach((node) => { node.style.width = `${Math.min(s * widthOf(node), room.width)}px`; });
  const over = () => body.offsetHeight - room.height;
  body.style.cssText = "";
  const wholly = (factor) => { // the whole slide, larger or smaller, its lines as long as they may be; long formulas fit in
    whole = factor;
    body.style.setProperty("--room", `${room.width / whole}px`);
    if (whole !== 1) { body.style.width = "var(--room)"; body.style.transform = `scale(${whole})`; }
    for (const wide of body.querySelectorAll("mjx-container[display]")) {
      wide.style.fontSize = "";
      const width = wide.querySelector("svg")?.width.baseVal.value ?? 0, space = wide.parentElement.clientWidth;
      if (width > 0.99 * space && space) wide.style.fontSize = `${98 * space / width}%`;
    }
  };
  let whole = 1;
  wholly(1);
  let scale = LARGEST.picture;
  scaled(scale);
  for (let round = 0; round < 4 && shown.length && over() > 0 && scale > SMALLEST.picture; round++) {
    const tall = shown.reduce((sum, node) => sum + node.offsetHeight, 0);
    scale = Math.max(SMALLEST.picture, Math.min(scale, ...shown.map((node) => node.offsetWidth / widthOf(node))) * Math.max(0.3, 1 - (over() + 2) / tall));
    scaled(scale);
  }
  for (let size = 19; over() > 0 && size >= SMALLEST.code && body.querySelector("pre"); size--) body.style.setProperty("--code", `${size}px`);
  const excess = () => Math.max(body.offsetHeight / room.height, body.scrollWidth / body.offsetWidth);
  for (let round = 0; round < 6 && excess() * whole > 1.001 && whole > SMALLEST.whole; round++) wholly(Math.max(SMALLEST.whole, whole - 0.03));
  // A block of code that is still too long scrolls; a short text without pictures grows.
  const long = [...body.querySelectorAll("pre.code")].sort((a, b) => b.offsetHeight - a.offsetHeight)[0];
  if (long) long.style.maxHeight = "";
  const tooTall = body.offsetHeight - room.height / whole;
  if (tooTall > 0 && long && long.offsetHeight - tooTall > 250) { long.style.maxHeight = `${long.offsetHeight - tooTall - 24}px`; section.dataset.scrolls = ""; }
  if (!shown.length && !body.querySelector("pre.code") && body.offsetHeight < 0.62 * room.height && whole === 1) {
    wholly(LARGEST.whole);
  }
  section.dataset.scale = `${scale.toFixed(2)} ${whole.toFixed(2)}`;
  section.dataset.over = Math.max(0, Math.round(100 * (Math.max(body.offsetHeight * whole / room.height, body.scrollWidth * whole / room.width) - 1)));
}
function measured(work) {
  root.classList.add("measure");
  const result = work();
  root.classList.remove("measure");
  return result;
}

// ---- keys. A focused control keeps its arrows; PageDown and PageUp (a clicker) always turn; Escape gives the keys back to the deck.
function keys() {
  addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const target = event.target instanceof Element ? event.target : document.body, figure = target.closest(".live");
    const take = (act) => { event.preventDefault(); event.stopImmediatePropagation(); act?.(); };
    const range = target.matches("input[type=range]"), source = target.closest(".source[open]");
    if (event.key === "PageDown" && !source) take(() => Reveal.next());
    else if (event.key === "PageUp" && !source) take(() => Reveal.prev());
    else if (event.key === " " && range) take(() => event.shiftKey ? Reveal.prev() : Reveal.next());
    else if (event.key === "Escape" && (figure || source)) take(() => { target.blur(); if (source) source.open = false; });
    else if ([" ", "Enter"].includes(event.key) && target.closest("summary, a")) event.stopImmediatePropagation();
    else if (source && /Arrow|Home|End/.test(event.key)) event.stopImmediatePropagation();
  }, { capture: true });
  Reveal.on("slidechanged", ({ previousSlide }) => {
    if (document.activeElement !== document.body) document.activeElement?.blur();
    const source = previousSlide?.querySelector(".source");
    if (source) source.open = false;
  });
  Reveal.addKeyBinding({ keyCode: 67, key: "C", description: "Code of this slide" }, () => {
    const source = Reveal.getCurrentSlide().querySelector(".source");
    if (source) source.open = !source.open;
  });
  document.querySelector(".slides").addEventListener("toggle", (event) => {
    const section = event.target.closest("section");
    if (section && !event.target.classList.contains("source")) fit(section);
  }, { capture: true });
}

async function main() {
  const math = unpack("mathjax");
  const options = { width: 1280, height: 720, margin: 0, center: false, hash: true, transition: "none", slideNumber: "c/t", minScale: 0.1, maxScale: 4,
    navigationMode: "default", pdfSeparateFragments: false, pdfMaxPagesPerSlide: 1, plugins: [RevealNotes], ...(print ? { view: "print" } : {}) };
  if (!print) { await Reveal.initialize(options); keys(); }
  await math;
  await MathJax.startup.promise;
  const now = print ? slides[0] : Reveal.getCurrentSlide();
  const order = [now, ...slides.slice(slides.indexOf(now) + 1), ...slides.slice(0, slides.indexOf(now))];
  await MathJax.typesetPromise([now]);
  if (now.querySelector(".live-baked")) await window.awake;
  measured(() => fit(now));
  root.dataset.ready = "first";
  root.dataset.first = Math.round(performance.now());
  for (const section of order.slice(1)) {
    if (/[$\\]/.test(section.textContent)) { await MathJax.typesetPromise([section]); await pause(); }
  }
  await window.awake;
  await document.fonts?.ready;
  measured(() => slides.forEach(fit));
  if (print) await Reveal.initialize(options);
  root.dataset.all = Math.round(performance.now());
  root.dataset.ready = "all";
}
main();
