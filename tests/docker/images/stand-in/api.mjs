// The embedded engine's API server (server.mjs), run on the container's loopback with keys that only the stand-in knows.
import { randomBytes } from "node:crypto";
import net from "node:net";

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
  const config = {
    project: "stand-in",
    program: "stand-in",
    port: await freePort(),
    db: { host: hostname, port: Number(port), database: pathname.slice(1), password: decodeURIComponent(password) },
    jwtSecret,
    anonKey: `sb_publishable_${randomBytes(12).toString("hex")}`,
    serviceKey: `sb_secret_${randomBytes(12).toString("hex")}`,
    siteUrl,
  };
  process.env.PROMTHCTL_API = JSON.stringify(config);
  process.env.LITE_TELEMETRY = "0";
  process.chdir("/opt/toolchain");
  await import("/opt/toolchain/server.mjs");
  return { url: `http://127.0.0.1:${config.port}`, host: `127.0.0.1:${config.port}`, ...config };
}

export const bearer = (request) => /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? null;
