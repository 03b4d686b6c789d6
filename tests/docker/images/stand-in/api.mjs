// The embedded engine's API server (server.mjs), run on the container's loopback with keys that only the stand-in knows.
import { readFileSync } from "node:fs";
import net from "node:net";

import { sign } from "./keys.mjs";

const freePort = () =>
  new Promise((resolve) => {
    const probe = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

/** Start it; where it listens and its keys. databaseUrl: of any role, all have one password. jwtSecret: signs sessions. */
export async function startApi(databaseUrl, jwtSecret, siteUrl) {
  const { hostname, port, pathname, password } = new URL(databaseUrl);
  const { rest, auth, storage } = JSON.parse(readFileSync("/opt/stand-in/defaults.json", "utf8"));
  const apiPort = await freePort();
  const config = {
    project: "stand-in",
    program: "stand-in",
    port: apiPort,
    db: { host: hostname, port: Number(port), database: pathname.slice(1), password: decodeURIComponent(password) },
    jwtSecret,
    anonKey: sign({ role: "anon" }, jwtSecret),
    serviceKey: sign({ role: "service_role" }, jwtSecret),
    url: `http://127.0.0.1:${apiPort}`,
    origins: [],
    rest,
    auth: { ...auth, siteUrl },
    storage: { ...storage, folder: "/tmp/storage" },
    mailFile: "/tmp/mail.jsonl",
  };
  process.env.PROMTHCTL_API = JSON.stringify(config);
  process.chdir("/opt/toolchain");
  await import("/opt/toolchain/server.mjs");
  return { url: `http://127.0.0.1:${config.port}`, host: `127.0.0.1:${config.port}`, ...config };
}

export const bearer = (request) => /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? null;
