// The one-off jobs before the migrations. The tables of Auth are there from the start, so that `gotrue migrate` has only
// to find them; the jobs of Realtime and Storage have nothing to do.
import { createRequire } from "node:module";

const [, , program, ...words] = process.argv;
if (program.endsWith("gotrue") && words[0] === "migrate") {
  const { Client } = createRequire("/opt/toolchain/")("pg");
  const client = new Client({ connectionString: process.env.GOTRUE_DB_DATABASE_URL });
  await client.connect();
  await client.query("select auth.uid() from auth.users limit 1");
  await client.end();
}
