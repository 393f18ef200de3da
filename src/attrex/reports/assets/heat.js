"use strict";
// ---- heat-maps: a small grid of weights, stretched smoothly, coloured, laid over the photo

const SCALE = [[40, 32, 80, 0.3], [150, 50, 110, 0.34], [238, 80, 36, 0.52], [255, 206, 60, 0.72]];

function colour(weight) {
  const at = weight * (SCALE.length - 1), low = Math.min(Math.floor(at), SCALE.length - 2);
  return SCALE[low].map((from, i) => from + (SCALE[low + 1][i] - from) * (at - low));
}

function heats(packed) {
  return packed.split(" ").map((part) => {
    const [image, columns, hex] = part.split(":");
    return { image: Number(image), columns: Number(columns), weights: hex.match(/../g).map((x) => parseInt(x, 16) / 255) };
  });
}

// Catmull-Rom: through every weight, without creases
function stretch(weights, size) {
  const at = (i) => weights[Math.min(Math.max(i, 0), weights.length - 1)];
  return Array.from({ length: size }, (_, pixel) => {
    const place = ((pixel + 0.5) / size) * weights.length - 0.5, i = Math.floor(place), t = place - i;
    const [a, b, c, d] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
    const value = b + (t / 2) * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
    return Math.min(Math.max(value, 0), 1);
  });
}

function heatImage({ columns, weights }, size = 96) {
  const rows = [], image = new ImageData(size, size);
  for (let i = 0; i < weights.length; i += columns) rows.push(stretch(weights.slice(i, i + columns), size));
  for (let x = 0; x < size; x++) stretch(rows.map((row) => row[x]), size).forEach((weight, y) => {
    const [r, g, b, a] = colour(weight);
    image.data.set([r, g, b, 255 * a], 4 * (y * size + x));
  });
  const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function paint(canvas, heat, photo) {
  const shape = photo.naturalHeight / photo.naturalWidth || 1;
  canvas.width = 192;
  canvas.height = Math.round(192 * shape);
  canvas.style.aspectRatio = `${canvas.width} / ${canvas.height}`;
  const pen = canvas.getContext("2d");
  if (canvas.parentElement.matches(".tile, .thumb")) pen.drawImage(photo, 0, 0, canvas.width, canvas.height);
  pen.drawImage(heatImage(heat), 0, 0, canvas.width, canvas.height);
}
