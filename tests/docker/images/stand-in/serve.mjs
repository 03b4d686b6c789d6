// The image's own command: which service this container is follows from what the CLI puts into its environment. Three
// are called by a name of theirs instead.
import { auth } from "./auth.mjs";
import { page } from "./page.mjs";
import { rest } from "./rest.mjs";

const SERVICES = {
  GOTRUE_API_PORT: auth,
  PGRST_DB_URI: rest,
  PG_META_PORT: () => page("postgres-meta", 8080),
  STUDIO_PG_META_URL: () => page("studio", 3000),
  MP_SMTP_DISABLE_RDNS: () => page("mailpit", 8025),
  IMGPROXY_BIND: () => page("imgproxy", 5001),
  FILE_STORAGE_BACKEND_PATH: () => page("storage", 5000),
  SEED_SELF_HOST: () => page("realtime", 4000),
};
const COMMANDS = {
  "logflare start": () => page("logflare", 4000),
  "vector --config": () => page("vector", 9001),
  "edge-runtime start": () => page("edge-runtime", 8081),
};

const [, , program, word] = process.argv;
const called = program && `${program.split("/").pop()} ${word}`;
const asked = Object.keys(SERVICES).find((variable) => variable in process.env);
const serve = program ? COMMANDS[called] : SERVICES[asked];
if (called === "logflare eval") process.exit(0); // its migrations
if (!serve) {
  console.error(`This stand-in knows no service ${called ?? "with such an environment"}`);
  process.exit(1);
}
await serve();
