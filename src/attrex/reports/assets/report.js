"use strict";
const all = (query, root = document) => [...root.querySelectorAll(query)];
const articles = all("article");

// ---- heat-maps (drawn by heat.js)

const photoOf = (article, image) => article.querySelector(`.photo[data-image="${image}"] img`);

async function paintTiles(article) {
  for (const tile of all(".tile", article)) {
    const heat = heats(tile.dataset.heat).find(({ image }) => photoOf(article, image));
    const photo = heat && photoOf(article, heat.image);
    if (!photo) { tile.firstChild.hidden = true; continue; }
    if (!photo.complete) await new Promise((ready) => { photo.onload = photo.onerror = ready; });
    paint(tile.firstChild, heat, photo);
  }
}

async function paintThumb(thumb) {
  const photo = thumb.firstChild;
  if (!photo.complete) await new Promise((ready) => { photo.onload = photo.onerror = ready; });
  paint(thumb.lastChild, heats(thumb.dataset.heat)[0], photo);
}

const coming = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) if (isIntersecting) {
    coming.unobserve(target);
    (target.matches(".thumb") ? paintThumb : paintTiles)(target);
  }
}, { rootMargin: "600px" });
[...articles, ...all(".thumb[data-heat]")].forEach((element) => coming.observe(element));

// ---- pointing at a value lights its words, its row and its heat-map; a click keeps it

const rowsOf = (element) => element.dataset.rows.split(" ");

function light(article, element) {
  const rows = element ? rowsOf(element) : [], model = element?.dataset.model;
  for (const other of all("[data-rows]", article)) other.classList.toggle("active", rowsOf(other).some((r) => rows.includes(r)));
  for (const word of all("[data-spoke]", article))
    word.classList.toggle("spoke", word.dataset.spoke.split(" ").some((row) => rows.includes(row)));
  const tiles = all(".tile", article).filter((t) => rows.includes(t.dataset.rows));
  const tile = tiles.find((t) => t.dataset.model === model) ?? (model === undefined ? tiles[0] : undefined);
  const found = tile ? heats(tile.dataset.heat) : [];
  for (const figure of all(".photo", article)) {
    const heat = found.find(({ image }) => image === Number(figure.dataset.image));
    figure.classList.toggle("lit", Boolean(heat));
    if (heat) paint(figure.lastChild, heat, figure.firstChild);
  }
  const caption = article.querySelector(".seen");
  if (caption) caption.textContent = tile?.dataset.label ?? (element ? "no heat-map for this value" : "");
}

const kept = new WeakMap(); // article -> the element that was clicked
const target = (event) => event.target.closest?.("[data-rows]");
for (const kind of ["mouseover", "focusin"]) document.addEventListener(kind, (event) => {
  const element = target(event);
  if (element) light(element.closest("article"), element);
});
for (const kind of ["mouseout", "focusout"]) document.addEventListener(kind, (event) => {
  const article = target(event)?.closest("article");
  if (article) light(article, kept.get(article));
});
document.addEventListener("click", (event) => {
  const element = target(event), article = element?.closest("article");
  if (!article) return;
  kept.set(article, kept.get(article) === element ? undefined : element);
  light(article, kept.get(article) ?? element);
});

// ---- filters: a product is shown when one of its values meets all that is asked

const form = document.forms[0], { search, attribute, mistake, differs, marked, doubtful, confidence } = form.elements;
const words = new Map();
const text = (article) => words.get(article) ?? words.set(article, article.textContent.toLowerCase()).get(article);

function matches(article) {
  const wanted = search.value.trim().toLowerCase(), below = Number(confidence.value);
  if (wanted && !text(article).includes(wanted)) return false;
  if (marked.checked && !("marked" in article.dataset)) return false;
  if (!attribute.value && !mistake.checked && !differs.checked && !doubtful.checked && below >= 1) return true;
  return all("tr[data-attribute]", article).some(({ dataset: row }) =>
    (!attribute.value || row.attribute === attribute.value) &&
    (!mistake.checked || "mistake" in row) &&
    (!differs.checked || "differs" in row) &&
    (!doubtful.checked || "doubtful" in row) &&
    (below >= 1 || Number(row.confidence) <= below));
}

function filter() {
  form.querySelector("output").textContent = Number(confidence.value).toFixed(2);
  for (const article of articles) article.hidden = !matches(article);
  const shown = articles.filter((article) => !article.hidden).length;
  form.querySelector(".shown").textContent = `${shown} of ${articles.length} shown`;
  document.querySelector(".nothing").classList.toggle("on", shown === 0);
}

form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
for (const button of all("[data-pick]")) button.addEventListener("click", () => {
  attribute.value = button.dataset.pick;
  filter();
  form.scrollIntoView();
});
filter();

// a link to a product that the filters hide shows all again
for (const link of all(".doubts a")) link.addEventListener("click", () => {
  const article = document.querySelector(link.hash);
  if (article.hidden) { form.reset(); filter(); }
  articles.forEach((other) => other.classList.toggle("current", other === article));
});

// ---- keys

function move(step) {
  const shown = articles.filter((article) => !article.hidden), at = shown.findIndex((a) => a.matches(".current"));
  const next = shown[Math.min(Math.max(at + step, 0), shown.length - 1)];
  articles.forEach((article) => article.classList.toggle("current", article === next));
  next?.scrollIntoView({ block: "start" });
  next?.focus({ preventScroll: true });
}

function clear() {
  form.reset();
  filter();
  document.activeElement.blur();
  for (const article of articles) if (kept.delete(article)) light(article);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") return clear();
  if (event.target.matches("input, select, textarea")) return;
  if (event.key === "j") move(1);
  if (event.key === "k") move(-1);
  if (event.key === "/") { search.focus(); event.preventDefault(); }
  if (event.key === "Enter" && event.target.matches("mark")) event.target.click();
});
