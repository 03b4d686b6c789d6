// Supabase Lite's Studio. Lite is loaded by the first request for it: that takes longer than all the rest of the
// server's start, and most stacks are used without Studio.
//
// `lite start` itself cannot be used: it accepts no JWT-shaped keys, grants everything in every RLS schema to anon on
// its first request, and shows its database URL (password included) at /_system/info.

import { readFile } from "node:fs/promises";
import { extname, resolve, sep } from "node:path";

const EXPOSED = new Set(["public", "graphql_public"]);
const exposed = new WeakMap(); // introspection → its exposed part

/** A connection of Lite's, with what it does wrong put right. Base: Lite's own class. */
const connectionClass = (Base) =>
  class Connection extends Base {
    // Always set the request's role. Lite's own check grants ALL on every table to anon once it sees a policy,
    // and leaves the role unset where there is none. Can go when Lite takes grants as it finds them.
    async ensureRlsContext() {
      return true;
    }

    // Only what a project's own tables are in. Lite finds columns by a table's bare name: it would take those of
    // realtime.messages for those of public.messages. Can go when Lite asks for the schema too (0.10.0 does not).
    async introspect(options) {
      const found = await super.introspect(options);
      if (!exposed.has(found)) {
        const kept = Object.entries(found).map(([kind, entries]) => [
          kind,
          Array.isArray(entries) ? entries.filter(({ schema }) => !schema || EXPOSED.has(schema)) : entries,
        ]);
        exposed.set(found, Object.fromEntries(kept));
      }
      return exposed.get(found);
    }
  };

const TYPES = { ".css": "text/css", ".js": "text/javascript", ".ico": "image/x-icon", ".woff2": "font/woff2" };

/** The files of Studio's page; Lite leaves serving them to whoever embeds it. */
export async function asset(name) {
  const root = resolve("node_modules/@supabase/lite/dist/static");
  const file = resolve(root, name);
  if (!file.startsWith(root + sep)) return new Response(null, { status: 404 });
  const type = TYPES[extname(file)] ?? "application/octet-stream";
  return readFile(file).then(
    (body) => new Response(body, { headers: { "content-type": type } }),
    () => new Response(null, { status: 404 }),
  );
}

export class Studio {
  #app; // a promise, once something has asked

  /** options: for the driver. auth: Lite's own. roleOf: the role that a key stands for. */
  constructor({ options, auth, roleOf }) {
    this.given = { options, auth, roleOf };
  }

  async fetch(request, env) {
    this.#app ??= this.#load().catch((error) => {
      this.#app = undefined;
      throw error;
    });
    return (await this.#app).fetch(request, env);
  }

  /** Forget what is known of the schema: Lite reads it once and for all (0.10.0). */
  async forget() {
    await (await this.#loaded())?.connection.clearSchemaCache();
  }

  async close() {
    await (await this.#loaded())?.connection.close();
  }

  #loaded() {
    return this.#app?.catch(() => undefined); // whoever asked for it has been told
  }

  async #load() {
    const [{ App }, { PostgresConnection }] = await Promise.all([
      import("@supabase/lite"),
      import("@supabase/lite/postgres"),
    ]);
    const { options, auth, roleOf } = this.given;
    return new App({
      connection: new (connectionClass(PostgresConnection))({ postgresOptions: options }),
      auth: { enabled: true, ...auth },
      studio: { enabled: true },
      options: {
        server: {
          admin: false,
          apiKeys: {
            resolver: async (key) => {
              const role = roleOf(key);
              return role && { type: role === "anon" ? "publishable" : "secret", claims: { role } };
            },
          },
        },
      },
    });
  }
}
