"use strict";
// Points on a line, with names for what is measured.

const SIDE = 240, LEFT = 44, TOP = 10;

function frame(title, xs, ys, xName, yName, label) {
  const drawing = svg("svg", { class: "plot", viewBox: `0 0 ${LEFT + SIDE + 16} ${TOP + SIDE + 40}`, role: "img", "aria-label": label });
  const x = (value) => LEFT + SIDE * (value - xs[0]) / (xs.at(-1) - xs[0] || 1);
  const y = (value) => TOP + SIDE * (1 - (value - ys[0]) / (ys.at(-1) - ys[0] || 1));
  const text = (content, attributes) => { const t = svg("text", attributes); t.textContent = content; drawing.append(t); };
  for (const at of xs) {
    drawing.append(svg("path", { class: "grid", d: `M${x(at)} ${TOP}v${SIDE}` }));
    text(at.toLocaleString("en"), { x: x(at), y: TOP + SIDE + 16, "text-anchor": "middle" });
  }
  for (const at of ys) {
    drawing.append(svg("path", { class: "grid", d: `M${LEFT} ${y(at)}h${SIDE}` }));
    text(String(+at.toFixed(3)), { x: LEFT - 6, y: y(at) + 4, "text-anchor": "end" });
  }
  text(xName, { x: LEFT + SIDE / 2, y: TOP + SIDE + 34, "text-anchor": "middle" });
  return { panel: el("section", { class: "panel" }, el("h2", {}, title), el("p", { class: "note" }, yName), drawing), drawing, x, y };
}

function dots({ drawing, x, y }, points) {
  drawing.append(svg("path", { class: "line", d: points.map(({ at, value }, i) => `${i ? "L" : "M"}${x(at)} ${y(value)}`).join("") }));
  for (const { at, value, size = 3.5, told } of points) {
    const title = svg("title");
    title.textContent = told;
    drawing.append(svg("circle", { cx: x(at), cy: y(value), r: size }, title));
  }
}
