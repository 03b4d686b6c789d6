// Tables: rows, as postgres sees them, which may be filtered, ordered, added, changed and deleted.

import { attempt, form, h, ident, literal, query, rowsOf, say } from "./dom.js";
import { cell, grid } from "./results.js";

const PAGE = 100;
const KINDS = { r: "", p: "", v: "view", m: "materialized view", f: "foreign table" };

const LIST = `
  select n.nspname as schema, c.relname as name, c.relkind as kind, c.relrowsecurity as rls
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and not c.relispartition
    and has_schema_privilege(n.oid, 'usage')
  order by n.nspname <> 'public', 1, 2`;

const columnsOf = (schema, name) => `
  select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as required,
    a.attidentity = 'a' or a.attgenerated <> '' as made, pg_get_expr(d.adbin, d.adrelid) as usual, a.attidentity <> '' as numbered,
    coalesce(a.attnum = any (i.indkey), false) as key
  from pg_attribute a
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
  where a.attrelid = ${literal(`${ident(schema)}.${ident(name)}`)}::regclass and a.attnum > 0 and not a.attisdropped
  order by a.attnum`;

const path = (schema, name) => `#/tables/${encodeURIComponent(schema)}/${encodeURIComponent(name)}`;
const isTrue = (text) => text === "t";

function sidebar(tables, schema, name) {
  const schemas = [...new Set(["public", ...tables.map((table) => table.schema)])];
  const choice = h("select", { "aria-label": "Schema" }, ...schemas.map((one) => h("option", { selected: one === schema }, one)));
  choice.onchange = () => (location.hash = `#/tables/${encodeURIComponent(choice.value)}`);
  const links = tables
    .filter((table) => table.schema === schema)
    .map((table) => {
      const link = h("a", { href: path(schema, table.name) }, table.name, " ", h("small", {}, KINDS[table.kind]));
      link.toggleAttribute("aria-current", table.name === name);
      return link;
    });
  return h("aside", {}, choice, ...(links.length ? links : [h("p", {}, "No tables.")]));
}

/** A field for a column's value. given: the one it has; undefined in a new row. Its `value()` is a literal, or null for the default. */
function field(column, given) {
  const states = [...(given === undefined ? ["default"] : []), "NULL", "value"];
  const state = h("select", { "aria-label": `${column.name}: kind` }, ...states.map((one) => h("option", {}, one)));
  state.value = given === undefined ? "default" : given === null ? "NULL" : "value";
  const usual = column.usual ?? (isTrue(column.numbered) ? "the next number" : isTrue(column.required) ? "required" : "NULL");
  const input = h("textarea", { rows: 1, value: given ?? "", placeholder: given === undefined ? usual : "", "aria-label": column.name });
  if (given !== undefined) input.rows = 4;
  input.oninput = () => (state.value = "value");
  const label = h("span", {}, column.name, " ", h("small", {}, column.type));
  const value = () => (state.value === "default" ? null : state.value === "NULL" ? "null" : literal(input.value));
  return { element: h("div", { className: "field" }, label, input, state), value, column };
}

class Table {
  constructor(schema, name, kind, columns) {
    Object.assign(this, { columns, source: `${ident(schema)}.${ident(name)}`, name });
    this.keys = columns.filter(({ key }) => isTrue(key));
    this.editable = kind === "r" || kind === "p";
    Object.assign(this, { order: null, where: "", offset: 0 });
    this.element = h("section", {});
  }

  /** The condition that names one row. */
  #only(row) {
    return this.keys.map((key) => `${ident(key.name)} = ${literal(row[this.columns.indexOf(key)])}`).join(" and ");
  }

  /** Run a change of one row. */
  async #change(text) {
    const { count } = await query(text);
    if (count !== 1) throw new Error(`${count} rows were changed, not one: the row is gone, or a trigger or a rule took over. Reload.`);
  }

  async #add() {
    const fields = this.columns.filter(({ made }) => !isTrue(made)).map((column) => field(column));
    const send = () => {
      const given = fields.filter((one) => one.value() !== null);
      const names = given.map(({ column }) => ident(column.name)).join(", ");
      const values = given.map((one) => one.value()).join(", ");
      return this.#change(`insert into ${this.source} ${given.length ? `(${names}) values (${values})` : "default values"}`);
    };
    if (await form(`New row of ${this.name}`, fields.map(({ element }) => element), send, "Insert")) await this.load();
  }

  async #edit(row, at) {
    const one = field(this.columns[at], row[at]);
    const send = () => this.#change(`update ${this.source} set ${ident(one.column.name)} = ${one.value()} where ${this.#only(row)}`);
    if (await form(`Change ${this.name}`, [one.element], send)) await this.load();
  }

  async #remove(row) {
    if (!confirm(`Delete the row with ${this.#only(row)}?`)) return;
    await this.#change(`delete from ${this.source} where ${this.#only(row)}`);
    await this.load();
  }

  #heading(column) {
    if (column === null) return h("th", {});
    const { name, type } = column;
    const mark = this.order?.name === name ? (this.order.down ? " ↓" : " ↑") : "";
    const onclick = () => {
      this.order = this.order?.name !== name ? { name } : this.order.down ? null : { name, down: true };
      this.offset = 0;
      attempt(() => this.load());
    };
    return h("th", {}, h("button", { onclick, textContent: `${name}${mark}` }), " ", h("small", {}, isTrue(column.key) ? `${type}, key` : type));
  }

  #row(values) {
    const cells = values.map((value, at) => {
      const shown = cell(value, this.columns[at].type);
      if (this.editable && this.keys.length && !isTrue(this.columns[at].made)) shown.ondblclick = () => attempt(() => this.#edit(values, at));
      return shown;
    });
    if (!this.editable || !this.keys.length) return cells;
    return [h("td", {}, h("button", { textContent: "Delete", onclick: () => attempt(() => this.#remove(values)) })), ...cells];
  }

  /** Read the rows, and show them. */
  async load() {
    say("");
    const names = this.columns.map(({ name }) => ident(name)).join(", ");
    const sorted = this.order && `${ident(this.order.name)}${this.order.down ? " desc" : ""}`;
    const order = [sorted, ...this.keys.map(({ name }) => ident(name))].filter(Boolean).join(", ");
    const where = this.where.trim() ? `where (${this.where}\n)` : "";
    const { rows } = await query(`select ${names} from ${this.source} ${where} ${order && `order by ${order}`} limit ${PAGE + 1} offset ${this.offset}`);
    const more = rows.length > PAGE;
    const shown = rows.slice(0, PAGE);
    const turn = (by) => () => {
      this.offset += by;
      attempt(() => this.load());
    };
    const filter = h("input", { className: "wide", value: this.where, placeholder: "where …, such as: id > 10", "aria-label": "Filter" });
    filter.onchange = () => {
      [this.where, this.offset] = [filter.value, 0];
      attempt(() => this.load());
    };
    const bar = h(
      "div",
      { className: "bar" },
      this.editable ? h("button", { textContent: "New row", onclick: () => attempt(() => this.#add()) }) : null,
      filter,
      h("button", { textContent: "Reload", onclick: turn(0) }),
      h("button", { textContent: "Previous", disabled: this.offset === 0, onclick: turn(-PAGE) }),
      h("span", {}, shown.length ? `rows ${this.offset + 1}–${this.offset + shown.length}` : "no rows"),
      h("button", { textContent: "Next", disabled: !more, onclick: turn(PAGE) }),
    );
    const note = !this.editable ? null : h("small", {}, this.keys.length ? "Double-click a value to change it." : "Without a primary key rows cannot be changed here.");
    const columns = [...(this.editable && this.keys.length ? [null] : []), ...this.columns];
    const made = grid({ columns, rows: shown }, { heading: (column) => this.#heading(column), row: (values) => this.#row(values) });
    this.element.replaceChildren(bar, made, ...(note ? [note] : []));
  }
}

export async function show(main, schema = "public", name) {
  const tables = await rowsOf(LIST);
  const side = sidebar(tables, schema, name);
  const found = tables.find((table) => table.schema === schema && table.name === name);
  if (!found) {
    const hint = name ? "There is no such table." : "Choose a table.";
    main.replaceChildren(side, h("section", {}, h("p", {}, hint)));
    return;
  }
  const table = new Table(schema, name, found.kind, await rowsOf(columnsOf(schema, name)));
  main.replaceChildren(side, table.element);
  await table.load();
}
