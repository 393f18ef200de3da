"use strict";
const page = document.getElementById("model");

ask("/v1/model").then(draw).catch((error) => {
  if (!(error instanceof Refusal)) throw error;
  page.replaceChildren(alertOf(error.message, "error"));
});

function draw(model) {
  document.getElementById("name").textContent = model.name;
  const { training, validation, calibration } = model, interval = validation.tag.ci95;
  page.replaceChildren(
    facts({
      engine: model.engine, system: model.system, "text encoder": training.text_encoder, "image encoder": training.image_encoder,
      version: model.version, "hash of the model": model.model,
    }),
    el("div", { class: "cards" },
      card(model.attributes, "attributes"),
      card(training.products?.toLocaleString("en"), "products trained on"),
      card(validation.tag.f1 === null ? null : validation.tag.f1.toFixed(3), interval ? `TAG-F1, 95 % within ${interval.map((x) => x.toFixed(3)).join("–")}` : "TAG-F1"),
      card(calibration.right === null ? null : percent(calibration.right), "of the held-out cells: the surest value is right"),
      card(calibration.ece === null ? null : calibration.ece.toFixed(3), "calibration error"),
      card(training.minutes === null ? null : Math.round(training.minutes), "minutes of training")),
    el("div", { class: "plots" }, reliability(calibration.reliability), curve(model.curve)),
    el("h2", { class: "key", id: "figures" }, "Per attribute"),
    table(model.figures),
  );
}

function facts(known) {
  const told = Object.entries(known).filter(([, value]) => value);
  return el("dl", { class: "facts" }, told.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, bdi(String(value))))));
}

// ---- plots

function reliability(bins) {
  if (!bins?.length) return null;
  const ticks = [0, 0.25, 0.5, 0.75, 1], most = Math.max(...bins.map(({ cells }) => cells));
  const made = frame("How sure is how right", ticks, ticks, "confidence", "share that is right; on the diagonal confidences hold",
    `share that is right by confidence: ${bins.map((b) => `${b.confidence.toFixed(2)}: ${b.accuracy.toFixed(2)}`).join(", ")}`);
  made.drawing.append(svg("path", { class: "grid", d: `M${made.x(0)} ${made.y(0)}L${made.x(1)} ${made.y(1)}` }));
  dots(made, bins.map(({ confidence, accuracy, cells }) => ({
    at: confidence, value: accuracy, size: 2 + 3 * Math.sqrt(cells / most),
    told: `confidence ${confidence.toFixed(3)}, right ${accuracy.toFixed(3)}, ${cells} cells`,
  })));
  return made.panel;
}

function curve(points) {
  const known = points.filter(({ f1 }) => f1 !== null);
  if (!known.length) return null;
  const low = Math.floor(20 * Math.min(...known.map(({ f1 }) => f1))) / 20, steps = known.map(({ step }) => step);
  const ys = [0, 1, 2, 3, 4].map((i) => low + (1 - low) * i / 4);
  const made = frame("Training", [0, ...(steps.length > 6 ? [steps.at(-1)] : steps)], ys, "steps", "TAG-F1 on the validation products",
    `TAG-F1 by step: ${known.map((p) => `${p.step}: ${p.f1.toFixed(3)}`).join(", ")}`);
  dots(made, known.map(({ step, f1, minutes }) => ({ at: step, value: f1, told: `step ${step}, TAG-F1 ${f1.toFixed(4)}, ${Math.round(minutes)} minutes` })));
  return made.panel;
}

// ---- figures per attribute, ordered by any of them

const COLUMNS = [
  ["attribute", "Attribute", (value) => bdi(value), ""],
  ["filled", "Filled before", (value) => percent(value, 0), "wide"],
  ["labels", "Labels", (value) => value?.toLocaleString("en") ?? "–", "wide"],
  ["f1", "TAG-F1", (value) => value?.toFixed(3) ?? "–", ""],
  ["cells", "Held-out cells", (value) => value?.toLocaleString("en") ?? "–", "wide"],
  ["right", "Surest is right", (value) => percent(value), ""],
  ["ece", "Calibration error", (value) => value?.toFixed(3) ?? "–", "wide"],
];

function table(figures) {
  const body = el("tbody"), heads = COLUMNS.map(([key, label, , kind], i) => {
    const button = el("button", { type: "button" }, label), head = el("th", { scope: "col", class: kind }, button);
    button.addEventListener("click", () => order(key, head, i === 0));
    return head;
  });
  const rows = figures.map((figure) => ({ figure, row: el("tr", {}, COLUMNS.map(([key, , shown, kind], i) =>
    el(i ? "td" : "th", i ? { class: kind } : { scope: "row" }, shown(figure[key])))) }));
  function order(key, head, up) {
    if (head.getAttribute("aria-sort")) up = head.getAttribute("aria-sort") === "descending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = ({ figure }) => figure[key] ?? -Infinity;
    rows.sort((a, b) => (up ? 1 : -1) * (key === "attribute" ? value(a).localeCompare(value(b)) : value(a) - value(b)));
    body.replaceChildren(...rows.map(({ row }) => row));
  }
  order("labels", heads[2], false);
  return el("div", { class: "panel scroll", tabIndex: 0, role: "region", "aria-labelledby": "figures" },
    el("table", { class: "figures" }, el("thead", {}, el("tr", {}, heads)), body));
}
