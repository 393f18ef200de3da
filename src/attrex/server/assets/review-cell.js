"use strict";
// One cell: its photos, its texts, what is proposed and what else may be chosen.

const KINDS = {
  doubtful: "blank: something was found, but not surely enough to be filled in",
  differs: "the shop says that there is none, and something was found",
  conflict: "filled, and probably wrong",
  sure: "would be filled in; drawn at random to see how right such cells are",
};
const KIND_NAMES = { doubtful: "doubtful", differs: "differs", conflict: "probably wrong", sure: "sure, a sample" };

const listed = (values) => values.flatMap((value, i) => [i ? ", " : null, el("b", {}, bdi(value))]);

function shopSays(cell) {
  if (cell === null) return el("span", { class: "blank" }, "blank");
  return cell.length ? el("span", {}, listed(cell)) : el("span", { class: "blank" }, "says that there is none");
}

// Photos come by POST, as all of a review does, so that the service's token goes along. Each is asked for once.
const photos = new Map();
function photoOf({ id }, number) {
  const key = `${id}/${number}`;
  if (!photos.has(key)) photos.set(key, post("/v1/review/photo", { cell: id, number }, { as: "blob" }).then(URL.createObjectURL));
  return photos.get(key);
}

function forgetPhotos({ id, images }) {
  for (let number = 0; number < images; number++) {
    const key = `${id}/${number}`;
    photos.get(key)?.then(URL.revokeObjectURL, () => {});
    photos.delete(key);
  }
}

function warmest(cell) {
  const grids = cell.found?.regions ?? [];
  const heat = ({ weights }) => Math.max(...weights.flat());
  return grids.length ? grids.reduce((a, b) => (heat(b) > heat(a) ? b : a)).image : 0;
}

// The element of a cell. choose(verdict, values) is called with what a person decides.
class CellView {
  constructor(cell, choose, toggleSame) {
    this.cell = cell;
    this.finds = [cell.found ?? { attribute: cell.attribute, words: [], source: null }];
    this.lit = true;
    this.photos = el("div", { class: "photos" });
    this.same = el("section", { class: "same panel", hidden: true, "aria-label": "products with the same words" });
    this.accept = this.choice("a", cell.proposal, cell.confidence, cell.found ? why(cell.found) : "", () => choose("accept"));
    const options = cell.options.map(({ value, confidence }, i) =>
      this.choice(String(i + 1), [value], confidence || null, cell.cell?.includes(value) ? "what the shop has" : confidence ? "next best" : "a word of the shop", () => choose("correct", [value])));
    const choices = el("ol", { class: "choices", "aria-label": "values to choose" }, [this.accept, ...options].map((button) => el("li", {}, button)));
    choices.addEventListener("mouseleave", () => this.light(!options.includes(document.activeElement)));
    this.other = el("textarea", { rows: 2, name: "values", placeholder: "one value a line; Enter decides, Shift+Enter begins a line", "aria-label": "what is right" });
    this.otherForm = el("form", { class: "other", hidden: true, "aria-label": "other values" }, this.other, el("button", { class: "main" }, "Decide"));
    this.otherForm.addEventListener("submit", (event) => {
      event.preventDefault();
      const values = this.other.value.split("\n").map((line) => line.trim()).filter(Boolean);
      if (values.length) choose("correct", values);
    });
    this.other.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); this.otherForm.requestSubmit(); }
    });
    this.toggleSame = toggleSame;
    this.many = cell.same > 1 && el("button", { type: "button", class: "many", "aria-expanded": "false" },
      `${(cell.same - 1).toLocaleString("en")} more with the same words `, el("q", {}, bdi(cell.words)), " ", el("kbd", {}, "m"));
    if (this.many) this.many.addEventListener("click", toggleSame);
    const action = (key, label, act) => {
      const button = el("button", { type: "button", class: "action" }, el("kbd", {}, key), ` ${label}`);
      button.addEventListener("click", act);
      return button;
    };
    this.element = el("div", { class: "columns" },
      el("div", { class: "panel" }, this.photos, this.texts()),
      el("div", {},
        el("section", { class: "panel", "aria-labelledby": "attribute" },
          el("p", { class: `kind ${cell.kind}` }, KINDS[cell.kind] ?? cell.kind),
          el("h2", { id: "attribute" }, dot(cell.attribute), bdi(cell.attribute)),
          el("p", { class: "shop" }, el("span", { class: "key" }, "the shop's cell"), " ", shopSays(cell.cell)),
          choices,
          el("p", { class: "actions" },
            action("x", "reject", () => choose("reject")), action("n", "does not apply", () => choose("does_not_apply")),
            action("e", "something else", () => this.write()), action("s", "cannot tell", () => choose("unsure"))),
          this.otherForm),
        this.many || null, this.same,
        el("p", { class: "note" }, "product ", bdi(cell.product), cell.category ? [" · ", bdi(cell.category)] : null)));
    this.light(true);
    if (cell.images) this.show(warmest(cell));
    else this.photos.replaceChildren(el("p", { class: "placeholder" }, "No photo"));
  }

  choice(key, values, confidence, said, act) {
    const button = el("button", { type: "button", class: "choice" }, el("kbd", {}, key),
      el("span", {}, listed(values), " ", el("small", {}, said)), confidence === null ? el("span") : measure(confidence));
    button.addEventListener("click", act);
    for (const event of ["focus", "mouseenter"]) button.addEventListener(event, () => this.light(key === "a"));
    return button;
  }

  texts() {
    return Object.entries(this.cell.fields).map(([name, text]) =>
      el("div", {}, el("span", { class: "key" }, name), markedText(name, text, this.finds)));
  }

  // The heat-map is that of the value in focus: there is one of the proposal.
  light(isProposal) {
    this.isProposal = isProposal;
    lightFind(this.element, this.finds, isProposal && this.lit ? 0 : -1);
  }

  toggleHeat() { this.lit = !this.lit; this.light(this.isProposal); }

  show(number) {
    this.shown = number;
    const figure = el("figure", { class: "photo", "data-image": number },
      el("img", { alt: `Photo ${number + 1} of product ${this.cell.product}` }), el("canvas", { "aria-hidden": "true" }));
    const chips = this.cell.images > 1 && el("p", { class: "numbers" }, Array.from({ length: this.cell.images }, (_, i) => {
      const chip = el("button", { type: "button", class: "chip", "aria-pressed": String(i === number), "aria-label": `photo ${i + 1}` }, String(i + 1));
      chip.addEventListener("click", () => this.show(i));
      return chip;
    }), el("kbd", {}, "p"));
    this.photos.replaceChildren(figure, chips || "");
    photoOf(this.cell, number).then((url) => {
      figure.firstChild.addEventListener("load", ({ target: photo }) => {
        figure.style.setProperty("--shape", photo.naturalWidth / photo.naturalHeight);
        this.light(this.isProposal);
      }, { once: true });
      figure.firstChild.src = url;
    }, (error) => figure.replaceWith(el("p", { class: "placeholder" }, error.message)));
  }

  nextPhoto() { if (this.cell.images > 1) this.show((this.shown + 1) % this.cell.images); }

  write() {
    this.otherForm.hidden = false;
    this.other.focus();
  }

  // what else the next decision settles; null: nothing
  showSame(same) {
    this.many?.setAttribute("aria-expanded", String(Boolean(same)));
    this.element.classList.toggle("all", Boolean(same));
    this.same.hidden = !same;
    if (!same) return;
    const more = same.ids.length - same.examples.length, alone = el("button", { type: "button", class: "chip" }, "this one alone ", el("kbd", {}, "m"));
    alone.addEventListener("click", this.toggleSame);
    this.same.replaceChildren(
      el("p", {}, el("b", {}, `The next key decides this product and ${same.ids.length} more`), " whose text says ", el("q", {}, bdi(same.words)), ". ", alone),
      el("ul", {}, same.examples.map((other) => el("li", {}, el("small", {}, bdi(other.product)), " ", ...excerptOf(other)))),
      more > 0 ? el("p", { class: "note" }, `and ${more} more`) : "");
  }
}

const AROUND = 40; // characters

function excerptOf(cell) {
  const source = cell.found?.source, text = [...(cell.fields[source?.field] ?? Object.values(cell.fields)[0] ?? "")];
  if (!source) return [bdi(text.slice(0, 2 * AROUND).join(""))];
  const part = (from, to) => text.slice(Math.max(from, 0), to).join("");
  return [source.start > AROUND ? "… " : null, bdi(part(source.start - AROUND, source.start)), el("mark", {}, bdi(part(source.start, source.end))),
    bdi(part(source.end, source.end + AROUND)), source.end + AROUND < text.length ? " …" : null];
}
