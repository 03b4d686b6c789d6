// docker-entrypoint.sh of the official images: of PostgreSQL, or of Kong.
import { database } from "./database.mjs";
import { gateway } from "./gateway.mjs";

const [, , , program, ...words] = process.argv;
if (program === "postgres") await database(words);
else if (program === "kong") gateway();
else throw new Error(`This stand-in cannot start ${program}`);
