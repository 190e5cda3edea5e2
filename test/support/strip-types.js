// Jest transform: Node's own type stripping, which keeps every line and column, so no source map is needed.
import { createHash } from "node:crypto";
import { stripTypeScriptTypes } from "node:module";

export default {
  process: (source) => ({ code: stripTypeScriptTypes(source, { mode: "strip" }) }),
  processAsync: async (source) => ({ code: stripTypeScriptTypes(source, { mode: "strip" }) }),
  getCacheKey: (source, path, { configString }) =>
    createHash("sha256").update([process.version, path, configString, source].join("\0")).digest("hex"),
};
