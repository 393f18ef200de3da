"use strict";
// How full the table was and is, what a precision would buy, and the cells behind every figure.

const page = document.getElementById("catalogue");
const whole = (number) => number.toLocaleString("en");

ask("/v1/catalogue").then(draw).catch((error) => {
  if (!(error instanceof Refusal)) throw error;
  page.replaceChildren(error.status === 404
    ? alertOf("This service shows no catalogue. Start it with what a run wrote: attrex serve MODEL --catalogue DIR")
    : alertOf(error.message, "error"));
});

function draw(found) {
  const sum = (key) => found.attributes.reduce((all, one) => all + one[key], 0);
  const read = found.products - found.errors, all = read * found.attributes.length || 1;
  for (const { attribute } of found.attributes) ink(attribute);
  const cells = found.listed ? new CellList(found.review) : null, figures = table(found, read, cells);
  page.replaceChildren(
    el("div", { class: "cards" },
      card(whole(found.products), found.errors ? `products, ${whole(found.errors)} of them could not be read` : "products"),
      card(`${percent(sum("before") / all, 0)} → ${percent(sum("after") / all, 0)}`, "of the cells are filled: before and now"),
      card(whole(found.filled), "blank cells were filled"),
      card(found.expected === null ? null : percent(found.expected, 0), "of them should be what the shop would have written"),
      card(whole(sum("left")), "blank cells are left to people: not sure enough"),
      card(whole(sum("conflicts")), "filled cells are probably wrong")),
    dial(found, figures),
    el("h2", { class: "key", id: "figures" }, "Per attribute"),
    figures.element,
    cells?.element ?? el("p", { class: "note" }, "To look at the cells behind the figures, write the list of changes beside the report: attrex fill --changes changes.csv"));
}

// ---- the dial

function dial(found, figures) {
  if (!found.dial?.length) return el("p", { class: "note" }, found.listed
    ? "What a precision buys cannot be told: this model has no held-out cells to choose limits on."
    : "What a precision buys is counted in the list of changes, which is not there.");
  const steps = found.dial, chosen = Math.max(steps.findIndex(({ precision }) => precision >= 0.95), 0);
  const told = el("output", { for: "precision" }), note = el("p", { class: "note" }), command = el("code");
  const range = el("input", { type: "range", id: "precision", min: 0, max: steps.length - 1, step: 1, value: chosen });
  const ys = [0, 1, 2, 3, 4].map((i) => Math.round(i * (steps[0].filled + steps[0].left) / 4));
  const made = frame("What it buys", steps.map(({ precision }) => precision).filter((at, i) => i === steps.length - 1 || [0.8, 0.9, 0.95].includes(at)), [...new Set(ys)],
    "precision that is asked for", "blank cells that would be filled, of those in which something was found",
    `cells that would be filled by precision: ${steps.map((step) => `${step.precision}: ${step.filled}`).join(", ")}`);
  dots(made, steps.map(({ precision, filled }) => ({ at: precision, value: filled, told: `${percent(precision, 0)}: ${whole(filled)} cells` })));
  const mark = svg("circle", { class: "mark", r: 7 });
  made.drawing.append(mark);
  function turn() {
    const { precision, filled, left, attributes } = steps[range.value], limits = Object.values(attributes);
    const none = limits.filter(({ limit }) => limit === null).length;
    told.replaceChildren(el("b", {}, percent(precision, 0)), " of what is filled in should be right");
    note.replaceChildren(el("b", {}, `${whole(filled)} blank cells would be filled`), `, ${whole(left)} with a find are left to people.`,
      none ? ` ${none} of ${limits.length} attributes cannot promise it: they have too few held-out cells, or too many of them are wrong.` : "");
    command.textContent = `attrex fill TABLE VALUES --model MODEL --precision ${precision} --out filled.csv`;
    range.setAttribute("aria-valuetext", `${percent(precision, 0)}: ${whole(filled)} cells`);
    mark.setAttribute("cx", made.x(precision));
    mark.setAttribute("cy", made.y(filled));
    figures.turn(attributes);
  }
  range.addEventListener("input", turn);
  turn();
  return el("div", { class: "plots dial" },
    el("section", { class: "panel", "aria-label": "precision" },
      el("h2", {}, "How right does it have to be?"), el("label", { for: "precision" }, told), range, note, el("p", {}, command)),
    made.panel);
}

// ---- figures by attribute

function table({ attributes, listed }, read, cells) {
  const shares = (one) => [one.before, one.after].map((n) => el("td", { class: "share" }, bar(n / (read || 1))));
  const behind = (one, kind) => {
    if (!listed || !one[kind]) return el("td", { class: kind }, whole(one[kind]));
    const button = el("button", { type: "button", "aria-label": `${one[kind]} cells of ${one.attribute}: ${CELL_KINDS[kind]}` }, whole(one[kind]));
    button.addEventListener("click", () => cells.open(one.attribute, kind));
    return el("td", { class: kind }, button);
  };
  const rows = new Map(attributes.map((one) => {
    const at = el("td", { class: "at" }, "–"), limit = el("td", { class: "wide" }, "–");
    const row = el("tr", {}, el("th", { scope: "row" }, dot(one.attribute), bdi(one.attribute)), shares(one), behind(one, "filled"), behind(one, "left"),
      behind(one, "conflicts"), el("td", { class: "wide" }, percent(one.agreement, 0)), at, limit);
    return [one.attribute, { row, at, limit }];
  }));
  const heads = [["Attribute", ""], ["Before", ""], ["Now", ""], ["Filled", ""], ["Left", ""], ["Wrong?", ""], ["Agrees", "wide"], ["By the dial", "at"], ["Limit", "wide"]];
  const element = el("div", { class: "panel scroll", tabIndex: 0, role: "region", "aria-labelledby": "figures" },
    el("table", { class: "figures" }, el("thead", {}, el("tr", {}, heads.map(([head, kind]) => el("th", { scope: "col", class: kind }, head)))),
      el("tbody", {}, [...rows.values()].map(({ row }) => row))));
  return {
    element,
    turn(bought) {
      for (const [attribute, { at, limit }] of rows) {
        at.textContent = whole(bought[attribute]?.filled ?? 0);
        limit.textContent = bought[attribute]?.limit?.toFixed(2) ?? "none";
      }
    },
  };
}

function bar(share) {
  const fill = el("i");
  fill.style.width = `${Math.round(100 * share)}%`;
  return el("span", { class: "measure" }, el("span", { class: "bar" }, fill), percent(share, 0));
}
