// A QR code as SVG: byte mode, error correction level M. Source: ISO/IEC 18004.

// By version from 1: bytes of error correction in each block, and blocks.
const CORRECTION = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26].concat(Array(19).fill(28));
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49];
const SCALE = 4; // of a module, in units of the picture

/** Bytes that a version has for data and error correction together. */
function capacity(version) {
  const aligned = version < 2 ? 0 : Math.floor(version / 7) + 2;
  const patterns = aligned ? (25 * aligned - 10) * aligned - 55 : 0;
  return Math.floor(((16 * version + 128) * version + 64 - patterns - (version >= 7 ? 36 : 0)) / 8);
}

/** The product in the field of 256 elements over x^8 + x^4 + x^3 + x^2 + 1. */
function times(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) product = (product << 1) ^ ((product >> 7) * 0x11d) ^ (((b >> bit) & 1) * a);
  return product;
}

/** The bytes of error correction, as many as `count`, for a block. */
function corrected(block, count) {
  const divisor = Array(count).fill(0);
  divisor[count - 1] = 1;
  for (let index = 0, root = 1; index < count; index++, root = times(root, 2))
    for (let at = 0; at < count; at++) divisor[at] = times(divisor[at], root) ^ (divisor[at + 1] ?? 0);
  const rest = Array(count).fill(0);
  for (const byte of block) {
    const factor = byte ^ rest.shift();
    rest.push(0);
    divisor.forEach((value, at) => (rest[at] ^= times(value, factor)));
  }
  return rest;
}

/** All bytes of a code, its blocks interleaved. */
function codewords(bytes, version) {
  const [count, total, each] = [BLOCKS[version - 1], capacity(version), CORRECTION[version - 1]];
  const room = total - count * each;
  const sizeBits = version < 10 ? 8 : 16;
  let bits = `0100${bytes.length.toString(2).padStart(sizeBits, "0")}${[...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("")}`;
  bits += "0".repeat(Math.min(4, room * 8 - bits.length));
  bits += "0".repeat((8 - (bits.length % 8)) % 8);
  const data = bits.match(/.{8}/g).map((byte) => parseInt(byte, 2));
  for (let pad = 0xec; data.length < room; pad ^= 0xfd) data.push(pad);
  const short = Math.floor(room / count);
  const blocks = [];
  for (let index = 0, at = 0; index < count; index++) {
    const size = short + (index >= count - (room % count) ? 1 : 0);
    blocks.push(data.slice(at, at + size));
    at += size;
  }
  const corrections = blocks.map((block) => corrected(block, each));
  const columns = (parts, length) => Array.from({ length }, (_, at) => parts.map((part) => part[at]).filter((byte) => byte !== undefined)).flat();
  return [...columns(blocks, short + 1), ...columns(corrections, each)];
}

/** A value followed by the rest of its division by a generator, which has `count` bits less one. */
function divided(value, generator, count) {
  let rest = value;
  for (let index = 0; index < count; index++) rest = (rest << 1) ^ ((rest >> (count - 1)) * generator);
  return (value << count) | rest;
}

function centres(version, size) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.floor((version * 8 + count * 3 + 5) / (count * 4 - 4)) * 2;
  return [6, ...Array.from({ length: count - 1 }, (_, index) => size - 7 - step * (count - 2 - index))];
}

/** The modules: rows of true (dark), false (light), with every pattern but the data; undefined where data goes. */
function patterns(version) {
  const size = version * 4 + 17;
  const rows = Array.from({ length: size }, () => Array(size).fill(undefined));
  const set = (x, y, dark) => rows[y]?.[x] === undefined && x >= 0 && x < size && y >= 0 && y < size && (rows[y][x] = dark);
  const ring = (x, y) => Math.max(Math.abs(x), Math.abs(y));
  for (const [cx, cy] of [[3, 3], [size - 4, 3], [3, size - 4]])
    for (let y = -4; y <= 4; y++) for (let x = -4; x <= 4; x++) set(cx + x, cy + y, ring(x, y) !== 2 && ring(x, y) !== 4);
  const along = centres(version, size);
  const last = along.length - 1;
  along.forEach((cx, i) =>
    along.forEach((cy, j) => {
      if ((i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0)) return;
      for (let y = -2; y <= 2; y++) for (let x = -2; x <= 2; x++) rows[cy + y][cx + x] = ring(x, y) !== 1;
    }),
  );
  for (let at = 0; at < size; at++) {
    set(at, 6, at % 2 === 0);
    set(6, at, at % 2 === 0);
  }
  const mask = 0; // (x + y) % 2 === 0, below
  const format = divided(mask, 0x537, 10) ^ 0x5412; // level M is 00
  const bit = (value, at) => ((value >> at) & 1) === 1;
  for (let at = 0; at < 15; at++) {
    const dark = bit(format, at);
    if (at < 8) set(8, at < 6 ? at : at + 1, dark);
    else set(at === 8 ? 7 : 14 - at, 8, dark);
    if (at < 8) set(size - 1 - at, 8, dark);
    else set(8, size - 15 + at, dark);
  }
  set(8, size - 8, true);
  if (version >= 7) {
    const about = divided(version, 0x1f25, 12);
    for (let at = 0; at < 18; at++) {
      set(size - 11 + (at % 3), Math.floor(at / 3), bit(about, at));
      set(Math.floor(at / 3), size - 11 + (at % 3), bit(about, at));
    }
  }
  return rows;
}

/** The SVG of a text; null where it is too long (2,331 bytes). */
export function qrCode(text) {
  const bytes = Buffer.from(text);
  const fits = (version) => capacity(version) - BLOCKS[version - 1] * CORRECTION[version - 1] >= bytes.length + (version < 10 ? 2 : 3);
  const version = BLOCKS.findIndex((_, index) => fits(index + 1)) + 1;
  if (!version) return null;
  const rows = patterns(version);
  const size = rows.length;
  const bits = codewords(bytes, version).map((byte) => byte.toString(2).padStart(8, "0")).join("");
  let next = 0;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++)
      for (const x of [right, right - 1]) {
        const y = ((right + 1) & 2) === 0 ? size - 1 - step : step;
        if (rows[y][x] === undefined) rows[y][x] = (bits[next++] === "1") !== ((x + y) % 2 === 0);
      }
  }
  const dark = rows.flatMap((row, y) => row.flatMap((one, x) => (one ? `M${x + 4} ${y + 4}h1v1h-1z` : [])));
  const side = size + 8; // with a margin of four modules
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${side * SCALE}" height="${side * SCALE}" viewBox="0 0 ${side} ${side}"><rect width="${side}" height="${side}" fill="white"/><path d="${dark.join("")}" fill="black"/></svg>`;
}
