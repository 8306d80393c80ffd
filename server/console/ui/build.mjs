// Builds the console's pages into ../assets, which Go embeds: the same bytes from
// the same package-lock.json, wherever it runs. Names are fixed, for the server
// tells browsers by an ETag whether what they have is still right.
import { build } from "esbuild";
import { copyFile, mkdir } from "node:fs/promises";

const out = new URL("../assets/", import.meta.url);
await mkdir(out, { recursive: true });
await build({
  entryPoints: { console: "src/main.tsx" },
  outdir: out.pathname,
  bundle: true,
  format: "iife",
  target: ["chrome123", "firefox121", "safari17.5"], // those that know light-dark() and text-wrap
  minify: true,
  charset: "utf8",
  legalComments: "none",
  jsx: "automatic",
  jsxImportSource: "preact",
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "warning",
});
for (const name of ["index.html", "icon.svg"]) {
  await copyFile(new URL(`src/${name}`, import.meta.url), new URL(name, out));
}
