"use strict";
// What all pages use: elements from plain data (never from markup), and requests with the token, if one is asked for.

function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const bdi = (text) => el("bdi", {}, text);
const percent = (share, digits = 1) => (share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits)} %`);

function measure(share) {
  const fill = el("i");
  fill.style.width = `${Math.round(100 * share)}%`;
  return el("span", { class: "measure" }, el("span", { class: "bar" }, fill), share.toFixed(2));
}

const card = (figure, label) => (figure === null || figure === undefined ? null :
  el("div", { class: "card" }, el("span", { class: "figure" }, String(figure)), el("small", {}, label)));

// a colour for every attribute; the golden angle keeps neighbours apart
const hues = new Map();
function ink(attribute) {
  if (!hues.has(attribute)) hues.set(attribute, Math.round(205 + 137.508 * hues.size) % 360);
  return `hsl(${hues.get(attribute)} 70% 50%)`;
}

class Refusal extends Error {
  constructor(message, status) { super(message); this.status = status; }
}

async function ask(path, options = {}) {
  const token = sessionStorage.getItem("token");
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (typeof options.body === "string") headers["Content-Type"] = "application/json";
  let response;
  try { response = await fetch(path, { ...options, headers }); }
  catch { throw new Refusal("The service does not answer. Nothing is lost: do it again when it is back.", 0); }
  if (response.status === 401) return askForToken().then(() => ask(path, options));
  if (response.ok && options.as === "blob") return response.blob();
  const content = await response.json().catch(() => ({ detail: response.statusText }));
  if (!response.ok) throw new Refusal(content.detail, response.status);
  return content;
}

const post = (path, body, options = {}) => ask(path, { method: "POST", body: JSON.stringify(body), ...options });

function askForToken() {
  const form = document.getElementById("token");
  form.hidden = false;
  form.elements.token.focus();
  return new Promise((ready) => form.addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem("token", form.elements.token.value.trim());
    form.hidden = true;
    ready();
  }, { once: true }));
}

const alertOf = (text, kind = "") => el("p", { class: `alert ${kind}` }, text);
