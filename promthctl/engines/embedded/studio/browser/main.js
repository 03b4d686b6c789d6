// Which page is shown: #/tables/SCHEMA/TABLE, #/sql, #/users/PAGE.

import { attempt, say } from "./dom.js";
import * as sql from "./sql.js";
import * as tables from "./tables.js";
import * as users from "./users.js";

const PAGES = { tables, sql, users };
const main = document.querySelector("main");

function show() {
  const [name, ...rest] = location.hash.slice(2).split("/").map(decodeURIComponent);
  const page = Object.hasOwn(PAGES, name) ? name : "tables";
  for (const link of document.querySelectorAll("nav a")) link.toggleAttribute("aria-current", link.hash === `#/${page}`);
  say("");
  for (const box of document.querySelectorAll("dialog")) box.remove();
  main.replaceChildren();
  return attempt(() => PAGES[page].show(main, ...rest));
}

addEventListener("hashchange", show);
show();
