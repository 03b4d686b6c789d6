// Storage's errors: status 400 (500 for our own) and {statusCode, error, code, message}, as storage-api writes them.
// Source: github.com/supabase/storage, src/internal/errors/codes.ts

export class StorageError extends Error {
  /** status: what the body says. answered: the HTTP status, which is 400 for all that the caller can change. */
  constructor(status, code, message, { error = code, answered = status >= 500 ? status : 400 } = {}) {
    super(message);
    Object.assign(this, { status, code, error, answered });
  }

  body() {
    return { statusCode: String(this.status), error: this.error, code: this.code, message: this.message };
  }
}

export const noBucket = () => new StorageError(404, "NoSuchBucket", "Bucket not found", { error: "Bucket not found" });
export const noObject = () => new StorageError(404, "NoSuchKey", "Object not found", { error: "not_found" });
export const denied = (message) => new StorageError(403, "AccessDenied", message, { error: "Unauthorized" });
export const invalid = (message) => new StorageError(400, "InvalidRequest", message);
export const tooLarge = () =>
  new StorageError(413, "EntityTooLarge", "The object exceeded the maximum allowed size", { error: "Payload too large" });
export const wrongMime = (type) =>
  new StorageError(415, "InvalidMimeType", `mime type ${type} is not supported`, { error: "invalid_mime_type" });
export const absent = (what) =>
  new StorageError(
    501,
    "NotImplemented",
    `${what} is not there on the embedded engine: promthctl local up --engine docker has it`,
    { error: "not_implemented" },
  );
const duplicate = (code) => new StorageError(409, code, "The resource already exists", { error: "Duplicate" });

/** What an error of the database is to the caller. */
export function ofDatabase(error) {
  if (error instanceof StorageError) return error;
  if (error.code === "23505") return duplicate(error.table_name === "buckets" ? "BucketAlreadyExists" : "KeyAlreadyExists");
  if (error.code === "23503")
    return error.table_name === "objects" && /still referenced/.test(error.detail ?? "")
      ? new StorageError(409, "ResourceNotEmpty", "The bucket you tried to delete is not empty")
      : noBucket();
  if (error.code === "42501") return denied(error.message.replace(/ for table "\w+"$/, ""));
  if (/^(22|23|P0)/.test(error.code ?? "")) return new StorageError(400, "DatabaseError", error.message);
  return null;
}
