// The users of Auth, through its admin API.

import { ask, attempt, form, h, say } from "./dom.js";
import { grid } from "./results.js";

const PAGE = 50;
const COLUMNS = ["E-mail or phone", "Created", "Last sign-in", "Confirmed", "Id", ""].map((name) => ({ name }));

const time = (text) => (text ? new Date(text).toLocaleString() : "never");

async function add(again) {
  const email = h("input", { type: "email", required: true, autocomplete: "off" });
  const password = h("input", { type: "password", required: true, autocomplete: "new-password" });
  const confirmed = h("input", { type: "checkbox", checked: true });
  const fields = [
    h("label", { className: "field" }, "E-mail", email),
    h("label", { className: "field" }, "Password", password),
    h("label", {}, confirmed, " confirmed: may sign in at once"),
  ];
  const body = () => ({ email: email.value, password: password.value, email_confirm: confirmed.checked });
  if (await form("New user", fields, () => ask("/users", { method: "POST", body: body() }), "Create user")) {
    await again();
    say(`Created: ${email.value}`);
  }
}

async function remove({ id, email, phone }, again) {
  const name = email || phone || id;
  if (!confirm(`Delete the user ${name}? Rows that refer to it may go with it.`)) return;
  await ask(`/users/${id}`, { method: "DELETE", body: {} });
  await again();
  say(`Deleted: ${name}`);
}

export async function show(main, number = "1") {
  const page = Math.max(1, Number(number) || 1);
  const again = () => show(main, number);
  const { users } = await ask(`/users?page=${page}&per_page=${PAGE}`);
  const row = (user) => [
    h("td", {}, user.email || user.phone || (user.is_anonymous ? "anonymous" : "")),
    h("td", {}, time(user.created_at)),
    h("td", {}, time(user.last_sign_in_at)),
    h("td", {}, user.email_confirmed_at || user.phone_confirmed_at ? "yes" : "no"),
    h("td", {}, user.id),
    h("td", {}, h("button", { textContent: "Delete", onclick: () => attempt(() => remove(user, again)) })),
  ];
  const bar = h(
    "div",
    { className: "bar" },
    h("button", { textContent: "New user", onclick: () => attempt(() => add(again)) }),
    page > 1 ? h("a", { href: `#/users/${page - 1}` }, "Newer") : null,
    users.length === PAGE ? h("a", { href: `#/users/${page + 1}` }, "Older") : null,
  );
  const heading = ({ name }) => h("th", {}, name);
  const list = users.length ? grid({ columns: COLUMNS, rows: users }, { heading, row }) : h("p", {}, "No users.");
  main.replaceChildren(h("section", {}, bar, list));
}
