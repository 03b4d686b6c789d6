// PostgreSQL's entry point: on an empty volume it makes the cluster with Supabase's roles and schemas, as the embedded
// engine does, and runs what the CLI has written into /etc/postgresql.schema.sql; then it runs the server.
import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, chmodSync, chownSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const DATA = "/var/lib/postgresql/data";
const SOCKET = "/var/run/postgresql";
const BIN = "/opt/postgres/bin";
const USER = { uid: 105, gid: 106 };
const HBA = `local all all trust
host all all all scram-sha-256
host replication all all scram-sha-256
`;

function run(program, words) {
  const done = spawnSync(`${BIN}/${program}`, words, { ...USER, cwd: "/", stdio: ["ignore", "inherit", "inherit"] });
  if (done.status !== 0) throw new Error(`${program} ended with ${done.status ?? done.signal}`);
}

/** psql's commands, as far as the CLI's scripts use them: \set NAME `echo "$VARIABLE"`, :'NAME' and \c DATABASE. */
function* parts(script) {
  const values = {};
  const text = script
    .replace(/^\\set (\w+) `echo "\$(\w+)"`$/gm, (_, name, variable) => ((values[name] = process.env[variable] ?? ""), ""))
    .replace(/:'(\w+)'/g, (_, name) => `'${values[name].replaceAll("'", "''")}'`);
  const [first, ...others] = text.split(/^\\c (\w+)$/m);
  yield ["postgres", first];
  for (let i = 0; i < others.length; i += 2) yield [others[i], others[i + 1]];
}

async function initialise() {
  for (const left of readdirSync(DATA)) rmSync(`${DATA}/${left}`, { recursive: true }); // of a start that was killed
  run("initdb", [
    ...["-D", DATA, "--username=supabase_admin", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-instructions"],
    ...["--encoding=UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US", "--no-sync"],
  ]);
  const pg = ["-D", DATA, "-w", "-o", "-c listen_addresses='' -c fsync=off -c unix_socket_directories=" + SOCKET];
  run("pg_ctl", ["start", ...pg]);
  const { Client } = createRequire("/opt/toolchain/")("pg");
  const execute = async (name, script) => {
    const client = new Client({ host: SOCKET, user: "supabase_admin", database: name });
    await client.connect();
    // psql sends each statement by itself; only this one needs it.
    for (const part of script.split(/^(create database .*;)$/im)) await client.query(part);
    await client.end();
  };
  process.env.PGPASSWORD = process.env.POSTGRES_PASSWORD;
  for (const file of readdirSync("/opt/bootstrap").sort()) {
    await execute("postgres", readFileSync(`/opt/bootstrap/${file}`, "utf8"));
  }
  // The CLI's script makes this schema itself. The stand-ins of auth and rest log in with one role of their own.
  const password = (process.env.POSTGRES_PASSWORD ?? "").replaceAll("'", "''");
  await execute("postgres", `drop schema supabase_functions cascade;
    alter role supabase_admin password '${password}'; alter role promthctl_api password '${password}'`);
  for (const [name, script] of parts(readFileSync("/etc/postgresql.schema.sql", "utf8"))) await execute(name, script);
  run("pg_ctl", ["stop", "-D", DATA, "-w", "-m", "fast"]);
  writeFileSync(`${DATA}/initialised`, "");
}

export async function database() {
  for (const folder of [DATA, SOCKET]) chownSync(folder, USER.uid, USER.gid);
  chmodSync(DATA, 0o700);
  if (!existsSync(`${DATA}/initialised`)) await initialise();
  writeFileSync("/etc/postgresql/pg_hba.conf", HBA);
  appendFileSync(
    "/etc/postgresql/postgresql.conf",
    `
data_directory = '${DATA}'
hba_file = '/etc/postgresql/pg_hba.conf'
ident_file = '${DATA}/pg_ident.conf'
listen_addresses = '*'
unix_socket_directories = '${SOCKET}'
wal_level = logical
shared_preload_libraries = 'pg_stat_statements'
timezone = 'UTC'
log_timezone = 'UTC'
`,
  );
  const server = spawn(`${BIN}/postgres`, ["-D", "/etc/postgresql"], { ...USER, cwd: "/", stdio: "inherit" });
  for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => server.kill("SIGINT"));
  server.on("exit", (code) => process.exit(code ?? 1));
}
