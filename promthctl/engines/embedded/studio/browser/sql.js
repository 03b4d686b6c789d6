// SQL: a text is run as it is, as postgres or as the API would for a user.

import { ask, attempt, described, h, say } from "./dom.js";
import { grid } from "./results.js";

const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function shown(result) {
  const { command, count, columns, rows } = result;
  if (columns.length === 0) return [h("p", {}, count === null ? command : `${command}: ${plural(count, "row")}`)];
  const more = count > rows.length ? `, the first ${rows.length} are shown` : "";
  return [h("p", {}, `${command}: ${plural(count ?? rows.length, "row")}${more}`), grid(result)];
}

function notice({ severity, message, detail, hint }) {
  return h("pre", {}, `${severity}: ${[message, detail, hint].filter(Boolean).join("\n")}`);
}

let draft = "";

export async function show(main) {
  const text = h("textarea", { className: "sql", value: draft, spellcheck: false, placeholder: "select …", "aria-label": "SQL" });
  const role = h("select", { "aria-label": "Run as" }, ...["postgres", "service_role", "anon", "authenticated"].map((name) => h("option", {}, name)));
  const user = h("select", { "aria-label": "User", hidden: true });
  const button = h("button", { textContent: "Run (Ctrl+Enter)" });
  const stop = h("button", { textContent: "Stop", hidden: true });
  const answer = h("div", { id: "results" });
  text.oninput = () => (draft = text.value);
  role.onchange = () =>
    attempt(async () => {
      user.hidden = role.value !== "authenticated";
      if (user.hidden) return;
      const { users } = await ask("/users?per_page=1000");
      user.replaceChildren(...users.map(({ id, email, phone }) => h("option", { value: id }, email || phone || id)));
      if (users.length === 0) say("There are no users yet: make one under Users.");
    });
  const run = () =>
    attempt(async () => {
      say("");
      answer.replaceChildren();
      const ending = new AbortController();
      stop.onclick = () => ending.abort();
      [button.disabled, stop.hidden] = [true, false];
      try {
        const body = { text: text.value, role: role.value, user: user.value || undefined };
        const { results, notices, error, open, ms } = await ask("/sql", { method: "POST", body, signal: ending.signal });
        const lines = [...notices.map(notice), ...results.flatMap(shown)];
        if (error) lines.push(h("pre", { className: "error" }, described(error)));
        if (open) lines.push(h("p", { className: "error" }, "The transaction was left open, and is rolled back: end it with commit."));
        answer.replaceChildren(...lines, h("small", {}, `${ms} ms`));
      } finally {
        [button.disabled, stop.hidden] = [false, true];
      }
    });
  button.onclick = run;
  text.onkeydown = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !button.disabled) run();
  };
  const bar = h("div", { className: "bar" }, button, stop, h("label", {}, "as ", role), user);
  main.replaceChildren(h("section", {}, text, bar, answer));
  text.focus();
}
