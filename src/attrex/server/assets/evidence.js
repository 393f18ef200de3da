"use strict";
// What a value stands on: its words marked in a text, and where on a photo the model looked.

const WHY = { text: "from the text", photo: "from the photo", both: "from text and photo" };

function why({ source, decided_by: by }) {
  const said = source ? `the text says “${source.text}”` : WHY[by] ?? "from the text";
  return source && by && by !== "text" ? `${said}; ${WHY[by]}` : said;
}

// Offsets count characters (code points); JavaScript's strings count halves of some.
// finds: [{source, words, attribute}]; each mark knows the numbers of the finds that it is of.
function markedText(field, text, finds, cls = "read") {
  const characters = [...text], edges = new Set([0, characters.length]);
  const places = finds.flatMap(({ source, attribute }, i) => (source?.field === field ? [{ i, attribute, ...source }] : []));
  const words = finds.flatMap((find, i) => (find.decided_by === "photo" ? [] : find.words ?? []).filter((word) => word.field === field).map((word) => ({ i, ...word })));
  for (const { start, end } of [...places, ...words]) { edges.add(start); edges.add(end); }
  const cuts = [...edges].filter((at) => at <= characters.length).sort((a, b) => a - b);
  const parts = cuts.slice(0, -1).map((start, n) => {
    const end = cuts[n + 1], part = characters.slice(start, end).join("");
    const over = (place) => place.start < end && start < place.end;
    const said = places.filter(over), spoke = words.filter(over);
    if (!said.length && !spoke.length) return part;
    const element = el(said.length ? "mark" : "span", { "data-rows": said.map(({ i }) => i).join(" "), "data-spoke": spoke.map(({ i }) => i).join(" ") }, part);
    if (said.length) element.style.setProperty("--ink", ink(said[0].attribute));
    return element;
  });
  return el("p", { class: cls, dir: "auto" }, parts);
}

// Light the words of find number i, and its heat-map on the photos; photos: figure.photo of an img and a canvas, in order.
function lightFind(root, finds, i) {
  for (const element of root.querySelectorAll("[data-rows]")) {
    element.classList.toggle("lit", element.dataset.rows.split(" ").includes(String(i)));
    element.classList.toggle("spoke", element.dataset.spoke.split(" ").includes(String(i)));
  }
  for (const figure of root.querySelectorAll(".photo")) heatOver(figure, finds[i]);
}

function heatOver(figure, find) {
  const grid = find?.regions?.find(({ image }) => image === Number(figure.dataset.image))?.weights;
  figure.classList.toggle("lit", Boolean(grid));
  if (!grid) return;
  const [photo, canvas] = figure.children, heat = { columns: grid[0].length, weights: grid.flat() };
  if (photo.complete) paint(canvas, heat, photo);
  else photo.addEventListener("load", () => paint(canvas, heat, photo), { once: true });
}

const photoFigure = (image, src, alt) =>
  el("figure", { class: "photo", "data-image": image }, el("img", { alt, src }), el("canvas", { "aria-hidden": "true" }));

function dot(attribute) {
  const mark = el("i", { class: "dot" });
  mark.style.background = ink(attribute);
  return mark;
}
