// In place of services whose work no test asks for: they are there, answer their health checks and say what they are.
import { answer, listen } from "./proxy.mjs";

export function page(name, port) {
  listen(port, name, (request, response) => {
    const html = request.headers.accept?.includes("text/html");
    if (html) return answer(response, 200, `<h1>${name}</h1><p>A stand-in.</p>`, { "content-type": "text/html" });
    answer(response, 200, { name, description: "a stand-in" });
  });
}
