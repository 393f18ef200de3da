"use strict";
// The cells behind a figure, a part at a time.

const CELL_KINDS = {
  filled: "filled in, the least sure first",
  left: "blank, something was found but not surely enough; the surest first",
  conflicts: "filled, and probably wrong; the surest find first",
  unknown: "not filled: the shop has no such word",
};

class CellList {
  constructor(review) {
    this.review = review;
    this.title = el("h2", { tabIndex: -1, id: "cells-title" });
    this.rows = el("ol", { class: "cells" });
    this.more = el("button", { type: "button", class: "main" }, "Show more");
    this.more.addEventListener("click", () => this.next());
    this.element = el("section", { class: "panel", id: "cells", hidden: true, "aria-labelledby": "cells-title" }, this.title, this.rows, this.more);
  }

  open(attribute, kind) {
    Object.assign(this, { attribute, kind, shown: 0 });
    this.rows.replaceChildren();
    this.element.hidden = false;
    this.title.replaceChildren(dot(attribute), bdi(attribute), el("small", {}, CELL_KINDS[kind]));
    this.title.focus({ preventScroll: true });
    this.element.scrollIntoView({ block: "start" });
    return this.next();
  }

  async next() {
    const { attribute, kind, shown: offset } = this;
    try {
      const { cells, total } = await post("/v1/catalogue/cells", { attribute, kind, offset });
      if (attribute !== this.attribute || kind !== this.kind) return; // another figure was asked for meanwhile
      this.rows.append(...cells.map((cell) => this.row(cell)));
      this.shown += cells.length;
      this.more.hidden = this.shown >= total;
      this.more.textContent = `Show more of ${total.toLocaleString("en")}`;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.rows.append(el("li", {}, alertOf(error.message, "error")));
    }
  }

  row({ product, cell, value, known, confidence, text, decided_by: by }) {
    const link = this.review && this.kind !== "filled" &&
      el("a", { href: `/review?${new URLSearchParams({ product, attribute: this.attribute })}`, "aria-label": `decide ${this.attribute} of ${product}` }, "decide");
    return el("li", {},
      el("span", { class: "product" }, bdi(product)),
      el("span", {}, cell ? [el("s", {}, bdi(cell)), " "] : null, el("b", {}, bdi(value)), known ? "" : el("small", {}, " a new word")),
      measure(confidence),
      el("small", {}, text ? ["the text says ", el("q", {}, bdi(text))] : WHY[by] ?? ""),
      link || el("span"));
  }
}
