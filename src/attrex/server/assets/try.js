"use strict";
const form = document.getElementById("product"), answer = document.getElementById("answer");
const drop = document.getElementById("drop"), input = document.getElementById("files"), chosen = document.getElementById("chosen");
let photos = []; // the files that were chosen
let columns = null;

const EXAMPLES = {
  "T-shirt": ["Men's navy blue round neck t-shirt", "Soft cotton jersey with short sleeves. Machine wash.", ""],
  "Trainers": ["Women's white mesh running shoes", "Lace-up closure, cushioned sole, breathable upper.", "Color: White"],
  "A cell that is wrong": ["Black leather formal belt for men", "Genuine leather with a metal buckle.", "Color: Brown"],
};
const OUTCOMES = {
  filled: "fills a blank cell", agrees: "as the shop says", differs: "the shop says otherwise", further: "one more value",
  unknown: "no word of the shop", below: "not sure enough", kept: "the cell is taken",
};

for (const [name, [title, description, cells]] of Object.entries(EXAMPLES)) {
  const button = el("button", { type: "button", class: "chip" }, name);
  button.addEventListener("click", () => {
    const [first, second] = form.querySelectorAll("#texts textarea");
    if (second) { first.value = title; second.value = description; }
    else first.value = `${title}. ${description}`;
    form.elements.cells.value = cells;
    setPhotos([]);
    read();
  });
  form.querySelector(".examples").append(button);
}

ask("/v1/schema").then((schema) => {
  columns = schema.columns;
  for (const name of columns.texts.slice(0, 2)) {
    const area = el("textarea", { name: `text-${name}`, rows: name === columns.texts[0] ? 2 : 5 });
    document.getElementById("texts").append(el("label", {}, el("span", { class: "key" }, name), area));
  }
  drop.hidden = columns.photos.length === 0;
  const categories = Object.keys(schema.categories);
  document.getElementById("category-label").hidden = categories.length === 0;
  form.elements.category.append(el("option", { value: "" }, "not said"), ...categories.map((c) => el("option", { value: c }, c)));
  for (const { name } of schema.attributes) ink(name);
  form.querySelector("textarea").focus();
}).catch(show);

// ---- photos

function setPhotos(files) {
  photos = [...files].filter((file) => file.type.startsWith("image/"));
  chosen.replaceChildren(...photos.map((file, i) => {
    const button = el("button", { type: "button", class: "chip", title: "take it out" }, `${file.name} ×`);
    button.addEventListener("click", () => setPhotos(photos.filter((_, j) => j !== i)));
    return el("li", {}, button);
  }));
}
input.addEventListener("change", () => { setPhotos([...photos, ...input.files]); input.value = ""; });
for (const kind of ["dragover", "dragleave", "drop"]) drop.addEventListener(kind, (event) => {
  event.preventDefault();
  drop.classList.toggle("over", kind === "dragover");
  if (kind === "drop") setPhotos([...photos, ...event.dataTransfer.files]);
});

// ---- a product goes, values come

function row() {
  const product = { id: "page" };
  for (const area of form.querySelectorAll("#texts textarea"))
    if (area.value.trim()) product[area.name.slice("text-".length)] = area.value;
  if (form.elements.category.value) product[columns.category] = form.elements.category.value;
  const cells = {};
  for (const line of form.elements.cells.value.split("\n")) {
    const at = line.indexOf(":");
    if (at > 0) cells[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  if (Object.keys(cells).length) Object.assign(product, typeof columns.table === "string" ? { [columns.table]: cells } : cells);
  return product;
}

async function read() {
  const button = form.querySelector(".main"), product = row(), files = photos;
  button.disabled = true;
  try {
    const body = new FormData();
    body.append("request", JSON.stringify({ product, evidence: true }));
    for (const file of files) body.append("photo", file);
    const { results: [result], model } = await ask("/v1/fill", { method: "POST", body });
    draw(product, files, result, model);
  } catch (error) { show(error); }
  finally { button.disabled = false; }
}

function show(error) {
  if (!(error instanceof Refusal)) throw error;
  answer.replaceChildren(alertOf(error.message, "error"));
}

form.addEventListener("submit", (event) => { event.preventDefault(); read(); });
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); read(); }
});

// ---- what was found

function samePlace(change, value) {
  const source = value.source;
  return change.attribute === value.attribute &&
    (source ? source.field === change.field && source.start === change.start : change.field === null);
}

function draw(product, files, result, model) {
  const changes = result.changes, finds = changes.map((change) => result.values.find((value) => samePlace(change, value)) ?? change);
  const filled = changes.filter(({ outcome }) => outcome === "filled").length;
  const figures = files.map((file, i) => photoFigure(i, URL.createObjectURL(file), file.name));
  const texts = Object.entries(product).filter(([name]) => columns.texts.includes(name))
    .map(([name, text]) => el("div", {}, el("span", { class: "key" }, name), markedText(name, text, finds)));
  const rows = changes.map((change) => el("li", {}, valueButton(change)));
  const json = JSON.stringify(result, null, 1);
  const copy = el("button", { type: "button", class: "chip" }, "copy");
  copy.addEventListener("click", () => navigator.clipboard.writeText(json));
  answer.replaceChildren(
    ...(result.error ? [alertOf(result.error, "error")] : []),
    ...result.warnings.map((warning) => alertOf(warning)),
    el("div", { class: "photos" }, figures),
    ...texts,
    el("h2", {}, `${changes.length} values, ${filled} of them fill blank cells`),
    el("p", { class: "keys" }, el("kbd", {}, "↑"), el("kbd", {}, "↓"), " move; the photo shows where the model looked"),
    el("ul", { class: "values" }, rows),
    el("details", {}, el("summary", {}, "JSON"), copy, el("pre", { tabIndex: 0 }, json)),
    el("p", { class: "note" }, `model ${model}`),
  );
  answer.querySelector(".values button")?.focus();
  for (const [i, button] of [...answer.querySelectorAll(".values button")].entries())
    for (const kind of ["focus", "mouseenter"]) button.addEventListener(kind, () => lightFind(answer, finds, i));
  if (finds.length) lightFind(answer, finds, 0);
}

function valueButton(change) {
  const said = change.text ? `“${change.text}”` : WHY[change.decided_by] ?? WHY.text;
  const cell = change.outcome === "differs" ? `: ${change.cell.join(", ")}` : "";
  return el("button", { type: "button" },
    el("span", {}, dot(change.attribute), bdi(change.attribute)),
    el("span", {}, el("b", {}, bdi(change.value)), " ", el("small", {}, bdi(said))),
    measure(change.confidence),
    el("small", { class: change.outcome }, OUTCOMES[change.outcome] ?? change.outcome, bdi(cell)));
}

answer.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
  if (!step || !event.target.matches(".values button")) return;
  event.preventDefault();
  const buttons = [...answer.querySelectorAll(".values button")];
  buttons[Math.min(Math.max(buttons.indexOf(event.target) + step, 0), buttons.length - 1)].focus();
});
