// A result as a table.

import { h } from "./dom.js";

const BOOLEANS = { t: "true", f: "false" };

/** value: as PostgreSQL writes it, or null. */
export function cell(value, type) {
  if (value === null) return h("td", { className: "null", textContent: "NULL" });
  const text = type === "boolean" ? BOOLEANS[value] : value;
  return h("td", { textContent: text, title: text.slice(0, 2000) });
}

/** columns: [{name, type}]. heading, row: make the cells where they are more than texts. */
export function grid({ columns, rows }, { heading, row } = {}) {
  const named = heading ?? (({ name, type }) => h("th", {}, name, " ", h("small", {}, type)));
  const shown = row ?? ((values) => values.map((value, at) => cell(value, columns[at].type)));
  const head = h("tr", {}, ...columns.map(named));
  const body = rows.map((values) => h("tr", {}, ...shown(values)));
  return h("div", { className: "grid" }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...body)));
}
