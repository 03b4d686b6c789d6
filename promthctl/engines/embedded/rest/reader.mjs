// Reading a parameter's text character by character, with errors of the form PostgREST's clients know.

import { parseError } from "./errors.mjs";

const LETTER = /[\p{L}\p{Nd}_ $]/u;

/** A text that is read from its start. what: names it in errors, e.g. "order". */
export class Reader {
  constructor(text, what, shown = text) {
    this.text = text;
    this.at = 0;
    this.source = `failed to parse ${what} (${shown})`;
  }

  /** Never returns: what stands here is none of what was expected. */
  fail(...expected) {
    const here = this.text.slice(this.at);
    const quote = expected.includes("end of input") ? "'" : '"'; // as PostgREST's parser has it
    const found = here === "" ? "end of input" : `${quote}${String.fromCodePoint(here.codePointAt(0))}${quote}`;
    const last = expected.pop();
    const list = expected.length ? `${expected.join(", ")} or ${last}` : last;
    const place = [...this.text.slice(0, this.at)].length + 1;
    const details = `unexpected ${found}${last ? ` expecting ${list}` : ""}`;
    throw Object.assign(parseError(`"${this.source}" (line 1, column ${place})`, details), { at: this.at });
  }

  get done() {
    return this.at >= this.text.length;
  }

  sees(text) {
    return this.text.startsWith(text, this.at);
  }

  /** Whether the text was there; then it is read. */
  takes(text) {
    if (!this.sees(text)) return false;
    this.at += text.length;
    return true;
  }

  needs(text, ...others) {
    if (!this.takes(text)) this.fail(...others, `"${text}"`);
  }

  /** What the pattern (sticky) matches here, or undefined. */
  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at += found[0].length;
    return found ?? undefined;
  }

  blanks() {
    this.match(/[ \t]*/y);
  }

  /** The value of `read`, or undefined with nothing read when it fails. */
  attempt(read) {
    const start = this.at;
    try {
      return read();
    } catch {
      this.at = start;
      return undefined;
    }
  }

  /** "text with \" and \\", without its quotes. */
  quoted() {
    this.needs('"');
    const [inner] = this.match(/(?:\\[^]|[^"\\])*/y);
    this.needs('"');
    return inner.replace(/\\([^])/g, "$1");
  }

  identifier() {
    let name = "";
    for (const char of this.text.slice(this.at)) {
      if (!LETTER.test(char)) break;
      name += char;
    }
    this.at += name.length;
    return name.trim();
  }

  /** A name: quoted, or words joined by dashes (a dash before > begins an arrow). */
  name() {
    if (this.sees('"')) return this.quoted();
    const start = this.at;
    const words = [];
    do {
      const before = this.at;
      const word = this.identifier();
      if (this.at === before)
        this.at === start ? this.fail("field name (* or [a..z0..9_$])") : this.fail("letter", "digit");
      words.push(word);
    } while (this.match(/-(?!>)/y));
    return words.join("-");
  }

  /** ->key, ->>key, ->2: [{arrow, key} or {arrow, index}]. */
  path() {
    const steps = [];
    for (let arrow; (arrow = this.match(/->>?/y)); ) {
      const index = this.match(/(-?)(\d+)(?=->|::|\.|,|$)/y);
      if (index) steps.push({ arrow: arrow[0], index: `${index[1] || "+"}${index[2]}` });
      else if (this.sees('"')) steps.push({ arrow: arrow[0], key: this.quoted() });
      else {
        if (this.takes("-")) this.fail("digit");
        const key = this.match(/[^(\-:.,>)]+(?:-(?!>)[^(\-:.,>)]+)*/y);
        if (!key) this.fail('"-"', "digit", "any non reserved character different from: .,>()");
        steps.push({
          arrow: arrow[0],
          key: key[0]
            .split("-")
            .map((part) => part.trim())
            .join("-"),
        });
      }
    }
    return steps;
  }

  field() {
    this.blanks();
    const field = { name: this.name(), path: this.path() };
    this.blanks();
    return field;
  }

  /** One or more, between commas. */
  list(read) {
    const items = [];
    do {
      this.blanks();
      items.push(read());
      this.blanks();
    } while (this.takes(","));
    return items;
  }
}
