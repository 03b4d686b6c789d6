// Studio: tables, SQL and users, for a browser that the door (door.mjs) has let in.
//
// The page is in browser/ and asks for two things: SQL to be run, and Auth's admin API.

import { guarded } from "./door.mjs";
import { run } from "./runner.mjs";
import index from "./browser/index.html";
import style from "./browser/style.css";
import dom from "./browser/dom.js";
import main from "./browser/main.js";
import results from "./browser/results.js";
import sql from "./browser/sql.js";
import tables from "./browser/tables.js";
import users from "./browser/users.js";

const SCRIPTS = { dom, main, results, sql, tables, users };
const POLICY = "; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:";

const json = (body, status = 200) => guarded(JSON.stringify(body), "application/json", { status });

export class Studio {
  /** options: of the driver, as postgres. auth: answers a Request for a path of Auth with the rights of service_role. */
  constructor({ door, options, auth }) {
    Object.assign(this, { door, options, auth });
  }

  /** Studio's page. headers: of node:http. */
  page(headers) {
    return this.door.isOpen(headers) ? guarded(index, "text/html; charset=utf-8", { policy: POLICY }) : this.door.closed();
  }

  /** Answer a request for a path below Studio's own. */
  async answer(request, path, headers, address) {
    const file = path.match(/^\/(?:(\w+)\.js|(style)\.css)$/);
    if (file && request.method === "GET") {
      if (!this.door.isOpen(headers)) return this.door.closed();
      if (file[2]) return guarded(style, "text/css; charset=utf-8");
      if (Object.hasOwn(SCRIPTS, file[1])) return guarded(SCRIPTS[file[1]], "text/javascript; charset=utf-8");
    }
    if (!this.door.isOwn(headers)) return json({ message: "Open Studio with: promthctl local studio" }, 401);
    if (path === "/sql" && request.method === "POST") {
      const asked = await request.json().catch(() => null);
      return json(await run(this.options, asked ?? {}, request.signal));
    }
    if (/^\/users(\/[0-9a-f-]+)?$/.test(path)) return this.auth(request, `/admin${path}`, address);
    return json({ message: "Not found" }, 404);
  }
}
