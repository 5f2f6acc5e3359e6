import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import type { Plugin } from "vite";

const SOURCES = ["index.html", "package-lock.json", "plugins", "public", "src", "tsconfig.json", "vite.config.ts"];

/**
 * Write down what the build was made of, so that a check without Node can tell whether what is committed is the build
 * of what is committed: `build.json` holds the SHA-256 of each source and each built file.
 */
export function seal(): Plugin {
  let outDir = "";
  return {
    name: "seal",
    apply: "build",
    configResolved: (config) => void (outDir = resolve(config.root, config.build.outDir)),
    closeBundle() {
      const hashes = { sources: hashesOf(".", SOURCES), files: hashesOf(outDir, ["."]) };
      writeFileSync(join(outDir, "build.json"), `${JSON.stringify(hashes, null, 1)}\n`);
    },
  };
}

function hashesOf(root: string, entries: string[]): Record<string, string> {
  const files = entries.flatMap((entry) => filesIn(join(root, entry))).filter((file) => !file.endsWith(".test.ts"));
  return Object.fromEntries(files.map((file) => [relative(root, file).replaceAll(sep, "/"), sha256(file)]).sort());
}

function filesIn(path: string): string[] {
  try {
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [path];
  }
}

function sha256(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}
