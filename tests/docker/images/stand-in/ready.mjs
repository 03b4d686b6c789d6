// The health checks' programs: pg_isready, kong and what asks a URL. Exit code 0 when the service answers; those of
// imgproxy and mailpit ask nobody.
import http from "node:http";
import net from "node:net";

const [, , program, ...words] = process.argv;
const fail = (why) => {
  console.error(why);
  process.exit(1);
};

/** PostgreSQL sends an authentication request ('R') once it accepts connections, and an error ('E') before. */
function postgres() {
  const user = Buffer.from("user\0postgres\0\0");
  const hello = Buffer.alloc(8);
  hello.writeInt32BE(8 + user.length, 0);
  hello.writeInt32BE(196608, 4); // protocol 3.0
  const socket = net.connect(5432, "127.0.0.1", () => socket.write(Buffer.concat([hello, user])));
  socket.on("data", (data) => (data[0] === 0x52 ? process.exit(0) : fail("rejecting connections")));
  socket.on("error", () => fail("no response"));
}

const url = words.find((word) => word.startsWith("http"));
if (program.endsWith("pg_isready")) postgres();
else if (program.endsWith("kong")) net.connect(8000, "127.0.0.1", () => process.exit(0)).on("error", (e) => fail(e.message));
else if (url) http.get(url, ({ statusCode }) => process.exit(statusCode < 400 ? 0 : 1)).on("error", (e) => fail(e.message));
