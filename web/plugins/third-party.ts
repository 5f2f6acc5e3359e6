import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

/** Write the licences of all packages that the build takes from, which they ask to be passed on. */
export function thirdParty(): Plugin {
  return {
    name: "third-party",
    apply: "build",
    generateBundle() {
      const folders = new Set([...this.getModuleIds()].map(packageFolder).filter((folder) => folder !== null));
      const entries = [...folders].sort().map(describe);
      const head = "The chat page is built with these packages. Their licences follow.\n";
      this.emitFile({
        type: "asset",
        fileName: "THIRD_PARTY.txt",
        source: [head, ...entries].join(`\n${"-".repeat(80)}\n\n`),
      });
    },
  };
}

/** The folder of the package that a module is part of, or null if it is our own. */
function packageFolder(module: string): string | null {
  const path = module.replace(/^\0/, "").split("?")[0]!;
  if (!path.includes("/node_modules/")) return null;
  let folder = dirname(path);
  while (!existsSync(join(folder, "package.json")) || !("version" in manifest(folder))) folder = dirname(folder);
  return folder;
}

function describe(folder: string): string {
  const { name, version, license } = manifest(folder);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} has no licence file.`);
  return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
}

function manifest(folder: string): { name: string; version: string; license: string } {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}
