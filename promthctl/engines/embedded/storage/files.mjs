// The contents of objects: one file each, called by the random version of its row, in one folder (0700, files 0600).
// No name that a caller chooses is part of a path.

import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { noObject, tooLarge } from "./errors.mjs";

const VERSION = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export class Files {
  constructor(folder) {
    this.folder = folder;
  }

  #path(version) {
    if (!VERSION.test(version ?? "")) throw noObject(); // a row that SQL made
    return join(this.folder, version);
  }

  #part(version) {
    return `${this.#path(version)}.part`;
  }

  /** Write what comes to a temporary file: {version, size (bytes), etag}. Raises 413 beyond `limit` bytes. */
  async receive(chunks, limit) {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const version = randomUUID();
    const hash = createHash("md5");
    let size = 0;
    const file = await open(this.#part(version), "wx", 0o600);
    try {
      for await (const chunk of chunks) {
        size += chunk.length;
        if (size > limit) throw tooLarge();
        hash.update(chunk);
        await file.writeFile(chunk);
      }
    } catch (error) {
      await rm(this.#part(version), { force: true });
      throw error;
    } finally {
      await file.close();
    }
    return { version, size, etag: `"${hash.digest("hex")}"` };
  }

  /** A second file of the same content, temporary until it is kept; its version. */
  async copy(version) {
    const other = randomUUID();
    await copyFile(this.#path(version), this.#part(other)).catch(() => {
      throw noObject();
    });
    return other;
  }

  keep(version) {
    return rename(this.#part(version), this.#path(version));
  }

  /** Remove the files of rows that are gone. */
  async remove(...versions) {
    for (const version of versions)
      if (VERSION.test(version ?? "")) {
        await rm(this.#path(version), { force: true });
        await rm(this.#part(version), { force: true });
      }
  }

  async size(version) {
    return (await stat(this.#path(version)).catch(() => Promise.reject(noObject()))).size;
  }

  read(version, start, end) {
    return createReadStream(this.#path(version), { start, end });
  }
}
