"use strict";
// Cells come one after the other; a key decides one, or all with the same words.

const AHEAD = 3; // cells that are claimed at once: the next one, and its photo, are there when a key is pressed
const STATS_EVERY = 20; // decisions

const part = (id) => document.getElementById(id);
const who = part("who"), desk = part("desk"), filters = part("filters"), place = part("cell"), told = part("told"), alerts = part("alerts");
let reviewer = "", queue = [], view = null, same = null, busy = false;
const asked = new URLSearchParams(location.search); // attribute and product, by a link from another page
let stats = null, decided = 0; // cells of this session, on top of the figures
const times = []; // of the decisions of this session

const review = (action, asked = {}) => post(`/v1/review/${action}`, asked);

// ---- who decides

who.addEventListener("submit", (event) => { event.preventDefault(); begin(who.elements.name.value.trim()); });
part("rename").addEventListener("click", async () => {
  await release();
  localStorage.removeItem("reviewer");
  desk.hidden = part("rename").parentElement.hidden = true;
  who.hidden = false;
  who.elements.name.select();
});

async function begin(name) {
  if (!name) return;
  reviewer = name;
  localStorage.setItem("reviewer", name);
  part("rename").replaceChildren("not ", bdi(name), "?");
  who.hidden = true;
  desk.hidden = part("rename").parentElement.hidden = false;
  times.length = 0;
  await attempt(async () => {
    await refreshStats();
    await refill();
  });
}

// What a person has not decided is given back, so that others may have it.
async function release(options = {}) {
  const cells = queue.map(({ id }) => id);
  queue = [];
  if (cells.length) await post("/v1/review/release", { reviewer, cells }, options).catch(() => {}); // or after 15 minutes
}
addEventListener("pagehide", () => release({ keepalive: true }));
addEventListener("pageshow", (event) => { if (event.persisted) begin(reviewer); });

// ---- cells come

function wanted() {
  const { attribute, kind, product } = filters.elements;
  return Object.fromEntries([attribute, kind, product].filter(({ value }) => value.trim()).map(({ name, value }) => [name, value.trim()]));
}

async function refill() {
  const { cells } = await review("claim", { reviewer, count: AHEAD, ...wanted() });
  const current = view && cells.find(({ id }) => id === view.cell.id);
  queue = current ? [current, ...cells.filter((cell) => cell !== current)] : cells;
  if (current) lookAhead();
  else show();
}

function show() {
  if (view) forgetPhotos(view.cell);
  same = null;
  const [cell] = queue;
  if (!cell) {
    view = null;
    delete place.dataset.cell;
    const isFiltered = Object.keys(wanted()).length > 0, all = el("button", { type: "button", class: "main" }, "Show all");
    all.addEventListener("click", () => { filters.reset(); refilter(); });
    place.replaceChildren(el("div", { class: "panel nothing" }, el("p", {}, isFiltered ? "No open cell fits these filters." : "No cell is open that nobody has in hands."), isFiltered ? all : ""));
    return;
  }
  view = new CellView(cell, decide, toggleSame);
  place.replaceChildren(view.element);
  place.dataset.cell = cell.id;
  view.accept.focus({ preventScroll: true });
  lookAhead();
}

function lookAhead() {
  const next = queue[1];
  if (next?.images) photoOf(next, warmest(next)).catch(() => {}); // told when it is its turn
}

// ---- a person decides

async function decide(verdict, values = []) {
  if (busy || !view) return;
  const { cell } = view, others = verdict === "unsure" ? [] : same?.ids ?? [];
  await attempt(async () => {
    const { decision } = await review("decide", { cell: cell.id, reviewer, verdict, values, also: others });
    times.push(Date.now());
    decided += decision.cells;
    tell(cell, decision);
    queue.shift();
    show();
    await refill();
    if (times.length % STATS_EVERY === 0) await refreshStats();
    else progress();
  }, cell);
}

const SAID = { accept: "accepted", correct: "corrected", reject: "rejected", does_not_apply: "does not apply", unsure: "left open: cannot be told" };

function tell(cell, { verdict, values, cells, left }) {
  const what = values?.length ? `: ${values.join(", ")}` : "";
  const many = cells > 1 ? ` in ${cells} products` : "";
  say(`${cell.attribute} ${SAID[verdict]}${what}${many}.${left ? ` ${left} were taken by others meanwhile.` : ""}`, true);
}

async function undo() {
  if (busy) return;
  await attempt(async () => {
    const { undone: taken } = await review("undo", { reviewer });
    const { cell } = await review("look", { reviewer, cell: taken.cell });
    times.pop();
    decided -= taken.cells;
    say(`Taken back${taken.cells === 1 ? "" : ` in ${taken.cells} products`}.${taken.touched ? ` ${taken.touched} were touched since and stay.` : ""}`);
    const { cells } = await review("claim", { reviewer, product: cell.product, attribute: cell.attribute });
    if (!cells.length) say("Taken back; somebody else has the cell now.");
    queue = [...cells, ...queue];
    show();
    progress();
  });
}

async function toggleSame() {
  if (busy || !view?.many) return;
  if (same) same = null;
  else await attempt(async () => {
    ({ same } = await review("look", { reviewer, cell: view.cell.id }));
    if (!same) say("Nothing else is open with these words any more.");
  });
  view?.showSame(same);
}

// One thing at a time. What fails is told, and stays as it was; a cell that somebody else has is left to them.
async function attempt(work, cell = null) {
  busy = true;
  desk.classList.add("busy");
  alerts.replaceChildren();
  try { await work(); }
  catch (error) {
    if (!(error instanceof Refusal)) throw error;
    alerts.replaceChildren(alertOf(error.message, "error"));
    if (error.status === 404 && !stats) desk.replaceChildren(alertOf("This service has no review store. Start it with one: attrex serve MODEL --review review.db"));
    if (error.status === 409 && cell && queue[0]?.id === cell.id) { queue.shift(); show(); }
  } finally {
    busy = false;
    desk.classList.remove("busy");
  }
}

function say(text, undoable = false) {
  const back = el("button", { type: "button", class: "chip" }, "undo ", el("kbd", {}, "u"));
  back.addEventListener("click", undo);
  told.replaceChildren(text, undoable ? " " : "", undoable ? back : "");
}

// ---- filters and figures

function refilter() {
  attempt(async () => { await release(); await refill(); });
}
filters.addEventListener("change", refilter);
filters.addEventListener("submit", (event) => event.preventDefault());

async function refreshStats() {
  stats = await review("stats");
  decided = 0;
  options(filters.elements.attribute, "all attributes", stats.attributes, (name) => name);
  options(filters.elements.kind, "all cells", stats.kinds, (name) => KIND_NAMES[name] ?? name);
  for (const name of Object.keys(stats.attributes)) ink(name);
  standing();
  progress();
}

function options(select, all, counts, shown) {
  const chosen = select.value || asked.get(select.name) || "";
  asked.delete(select.name);
  select.replaceChildren(el("option", { value: "" }, all), ...Object.entries(counts).map(([name, n]) =>
    el("option", { value: name }, `${shown(name)} (${(n.cells - n.decided).toLocaleString("en")})`)));
  select.value = chosen in counts ? chosen : "";
}

function progress() {
  const done = stats.decided + decided;
  part("progress").value = stats.cells ? done / stats.cells : 0;
  part("far").textContent = `${done.toLocaleString("en")} of ${stats.cells.toLocaleString("en")} cells decided`;
  const recent = times.filter((time) => time > Date.now() - 600_000), spent = (recent.at(-1) - recent[0]) / 3_600_000;
  const rate = recent.length > 2 ? ` at ${Math.round((recent.length - 1) / spent).toLocaleString("en")} an hour` : "";
  part("rate").textContent = times.length ? `· ${times.length} decisions by you${rate}` : "";
}

function standing() {
  const { sure, reviewers, attributes } = stats, rows = (counts, shown) => Object.entries(counts).map(([name, n]) =>
    el("tr", {}, el("th", { scope: "row" }, bdi(name)), shown(n).map((figure) => el("td", {}, figure.toLocaleString("en")))));
  const table = (heads, body) => el("table", { class: "figures" },
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, body));
  const share = sure && sure.value !== null && `${percent(sure.value)} of the sure cells that were looked at are right; of all ${sure.population.toLocaleString("en")} between ${percent(sure.low)} and ${percent(sure.high)}.`;
  part("standing").lastElementChild.replaceChildren(
    el("p", {}, share || "How right the sure cells are is told when some of the sample are decided."),
    el("div", { class: "plots" },
      table(["Attribute", "Open", "Decided"], rows(attributes, (n) => [n.cells - n.decided, n.decided])),
      Object.keys(reviewers).length ? table(["Reviewer", "Decisions", "Last hour"], rows(reviewers, (n) => [n.decisions, n.last_hour])) : ""));
}

// ---- keys

const KEYS = {
  a: () => decide("accept"), x: () => decide("reject"), n: () => decide("does_not_apply"), s: () => decide("unsure"),
  u: undo, m: toggleSame, e: () => view?.write(), p: () => view?.nextPhoto(), h: () => view?.toggleHeat(),
  f: () => filters.elements.attribute.focus(), "?": () => part("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || desk.hidden || part("keys").open) return;
  if (event.key === "Escape") {
    if (view?.otherForm.contains(event.target)) view.otherForm.hidden = true;
    view?.accept.focus();
    return;
  }
  if (event.target.matches("input, textarea, select")) return;
  const option = /^[1-9]$/.test(event.key) && view?.cell.options[event.key - 1];
  const act = option ? () => decide("correct", [option.value]) : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
part("help").addEventListener("click", KEYS["?"]);

// ---- begin

filters.elements.product.value = asked.get("product") ?? "";
const known = localStorage.getItem("reviewer");
if (known) begin(known);
else {
  who.hidden = false;
  who.elements.name.focus();
}
