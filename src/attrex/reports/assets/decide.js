// ---- what a person decides of a cell: kept in this browser, and downloaded as a file of verdicts

const rows = all("tr[data-cell]"), bar = document.querySelector(".corrections");
const place = `attrex-corrections-${document.body.dataset.page}`;
const decided = new Map(); // row -> its verdict
const SIGNS = [["accept", "✓", "right"], ["reject", "✗", "wrong"], ["correct", "✎", "something else"], ["does_not_apply", "∅", "the product has none"]];

// a file opened from the disk may have no storage
const storage = {
  load() { try { return JSON.parse(localStorage.getItem(place)) ?? {}; } catch { return {}; } },
  save(said) { try { localStorage.setItem(place, JSON.stringify(said)); } catch { /* then a reload forgets */ } },
};

for (const row of rows) {
  const cell = JSON.parse(row.dataset.cell), group = row.querySelector(".decide");
  group.append(...SIGNS.map(([verdict, sign, words]) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: sign, title: words });
    button.dataset.verdict = verdict;
    button.setAttribute("aria-label", `${cell.attribute} ${cell.proposal.join(", ")}: ${words}`);
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => act(row, verdict));
    return button;
  }), Object.assign(document.createElement("span"), { className: "said" }));
}

function act(row, verdict) {
  if (decided.get(row)?.verdict === verdict) return decide(row, null);
  if (verdict === "correct") return write(row);
  const { proposal } = JSON.parse(row.dataset.cell);
  return decide(row, verdict, { accept: proposal, reject: null, does_not_apply: [] }[verdict]);
}

function write(row) {
  row.querySelector(".decide form")?.remove();
  const { options, attribute } = JSON.parse(row.dataset.cell), form = document.createElement("form");
  const field = Object.assign(document.createElement("textarea"), { rows: 1, placeholder: "one value a line" });
  field.setAttribute("aria-label", `what ${attribute} is`);
  const choices = options.map((option) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "chip", textContent: option });
    button.addEventListener("click", () => { form.remove(); decide(row, "correct", [option]); });
    return button;
  });
  const done = Object.assign(document.createElement("button"), { className: "chip", textContent: "that" });
  form.append(field, done, ...choices);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const values = [...new Set(field.value.split("\n").map((line) => line.trim()).filter(Boolean))];
    form.remove();
    if (values.length) decide(row, "correct", values);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); form.requestSubmit(); }
    if (event.key === "Escape") { event.stopPropagation(); form.remove(); row.querySelector(".decide button").focus(); }
  });
  row.querySelector(".decide").append(form);
  field.focus();
}

function decide(row, verdict, values = null) {
  const { options, ...cell } = JSON.parse(row.dataset.cell);
  if (verdict === null) decided.delete(row);
  else {
    const same = verdict === "correct" && values.length === cell.proposal.length && values.every((value) => cell.proposal.includes(value));
    decided.set(row, { ...cell, verdict: same ? "accept" : verdict, values, reviewer: null, time: new Date().toISOString(), same_words: false });
  }
  show();
  storage.save(Object.fromEntries([...decided].map(([of, said]) => [rows.indexOf(of), said])));
}

function show() {
  for (const row of rows) {
    const said = decided.get(row);
    row.classList.toggle("decided", Boolean(said));
    for (const button of all(".decide button[data-verdict]", row)) button.setAttribute("aria-pressed", String(button.dataset.verdict === said?.verdict));
    row.querySelector(".said").textContent = said?.verdict === "correct" ? said.values.join(", ") : "";
  }
  bar.hidden = decided.size === 0;
  bar.querySelector("[role]").textContent = `${decided.size} ${decided.size === 1 ? "cell" : "cells"} decided`;
}

bar.querySelector(".save").addEventListener("click", ({ currentTarget: link }) => {
  const lines = rows.filter((row) => decided.has(row)).map((row) => JSON.stringify(decided.get(row)) + "\n");
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
});
bar.querySelector(".save").href = "#"; // so that the keyboard reaches it
bar.querySelector(".forget").addEventListener("click", () => { decided.clear(); show(); storage.save({}); });

// ---- keys: in a row they decide it, and the next one that is open comes

function next(from) {
  const open = rows.filter((row) => !decided.has(row) && "doubtful" in row.dataset && !row.closest("article").hidden);
  const at = from ? open.find((row) => from.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_FOLLOWING) : null;
  const row = at ?? open[0];
  row?.querySelector(".decide button").focus({ preventScroll: true });
  row?.scrollIntoView({ block: "center" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.target.matches("input, select, textarea")) return;
  const row = event.target.closest("tr[data-cell]");
  if (event.key === "d") return next(row);
  const verdict = { a: "accept", x: "reject", e: "correct", n: "does_not_apply" }[event.key];
  if (!row || !verdict) return;
  event.preventDefault();
  act(row, verdict);
  if (verdict !== "correct") next(row);
});

for (const [number, said] of Object.entries(storage.load())) if (rows[number]) decided.set(rows[number], said);
show();
