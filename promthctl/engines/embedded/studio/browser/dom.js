// What the pages share: elements, questions to the server, SQL's quotes. Texts enter the page as text alone.

/** An element. props: properties, or attributes with a dash; children: elements and texts. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const message = document.getElementById("message");

export function say(text, isError = false) {
  message.textContent = text;
  message.className = isError ? "error" : "";
}

/** Do something; what fails is said. */
export async function attempt(work) {
  try {
    await work();
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
  }
}

/** Ask the server, as Studio. Resolves to the answer's JSON; rejects with what it says of an error. */
export async function ask(path, { method = "GET", body, signal } = {}) {
  const headers = { "x-studio-secret": localStorage.getItem("studio") ?? "" };
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(`/_promthctl/studio${path}`, { method, headers, signal, body: body && JSON.stringify(body) }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Error("The stack does not answer. Start it, and open Studio again: promthctl local up, promthctl local studio");
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.msg ?? said.message ?? `Status ${answer.status}`);
  return said;
}

/** What PostgreSQL said of an error, as psql shows it. */
export function described({ code, message: text, detail, hint, where, line, column }) {
  const place = line && `line ${line}, column ${column}`;
  const more = [detail && `Detail: ${detail}`, hint && `Hint: ${hint}`, where && `Context: ${where}`];
  return [`${[code, place].filter(Boolean).join(", ")}${code || place ? ": " : ""}${text}`, ...more].filter(Boolean).join("\n");
}

/** Run SQL as postgres. Resolves to its last result. */
export async function query(text) {
  const { results, error } = await ask("/sql", { method: "POST", body: { text } });
  if (error) throw new Error(described(error));
  return results.at(-1);
}

/** The same; its rows as objects. */
export async function rowsOf(text) {
  const { columns, rows } = await query(text);
  return rows.map((row) => Object.fromEntries(columns.map(({ name }, at) => [name, row[at]])));
}

export const ident = (name) => `"${name.replaceAll('"', '""')}"`;
export const literal = (text) => (text === null ? "null" : `'${text.replaceAll("'", "''")}'`);

/** A dialog with a form. Resolves to true when it was sent, after `send` went well. */
export function form(title, fields, send, action = "Save") {
  return new Promise((resolve) => {
    const problem = h("pre", { className: "error" });
    const close = (value) => {
      box.remove();
      resolve(value);
    };
    const submit = async (event) => {
      event.preventDefault();
      problem.textContent = "";
      try {
        await send();
        close(true);
      } catch (error) {
        problem.textContent = error.message;
      }
    };
    const cancel = h("button", { type: "button", textContent: "Cancel", onclick: () => close(false) });
    const buttons = h("div", { className: "bar" }, h("button", { textContent: action }), cancel);
    const box = h("dialog", { oncancel: () => close(false) }, h("form", { onsubmit: submit }, h("strong", {}, title), ...fields, problem, buttons));
    document.body.append(box);
    box.showModal();
  });
}
