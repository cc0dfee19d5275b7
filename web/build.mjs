// Makes the page of an exported recording: one HTML file with its style, its script and the player's libraries in it, and a mark where
// `cairn recordings export --as=html` puts the data. Nothing in it depends on the recording, so that its script can be named by its
// hash in the content security policy.
//   node build.mjs OUT.html            the page
//   node build.mjs OUT.html OUT.cc     besides, as C++: web/page.h
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [pageFile, sourceFile] = process.argv.slice(2);
if (!pageFile) throw new Error("usage: node build.mjs OUT.html [OUT.cc]");

async function bundle(entry) {
  const made = await build({
    entryPoints: [here(entry)],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: "es2022",
    charset: "ascii",
    legalComments: "none",
    logLevel: "warning",
  });
  return made.outputFiles[0].text.trim();
}

// A comment cannot hold "--", a style or script element not its own end.
function whole(text, forbidden) {
  if (text.includes(forbidden)) throw new Error(`the page would break at "${forbidden}"`);
  return text;
}

const script = whole(await bundle("src/main.ts"), "</script");
const style = whole(await bundle("src/style.css"), "</style");
const licence = whole(readFileSync(here("node_modules/@xterm/xterm/LICENSE"), "utf8").trim(), "--");
const hash = createHash("sha256").update(script).digest("base64");
const parts = { SCRIPT: script, STYLE: style, LICENCE: licence, HASH: hash };
const page = readFileSync(here("src/page.html"), "utf8").replace(/\{\{([A-Z]+)\}\}/g, (_, name) => parts[name]);
writeFileSync(pageFile, page);

if (sourceFile) {
  const bytes = Buffer.from(page);
  const lines = [];
  for (let at = 0; at < bytes.length; at += 4096) {
    let line = "";
    for (const byte of bytes.subarray(at, at + 4096)) {
      const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c && byte !== 0x3f; // no trigraphs
      line += isPlain ? String.fromCharCode(byte) : "\\" + byte.toString(8).padStart(3, "0");
    }
    lines.push(`"${line}"`);
  }
  writeFileSync(
    sourceFile,
    `// Made by web/build.mjs.\n#include "web/page.h"\n\nnamespace cairn::web {\n\n` +
      `std::string_view recording_page() {\n  static constexpr char kPage[] =\n${lines.join("\n")};\n` +
      `  return {kPage, sizeof(kPage) - 1};\n}\n\n}  // namespace cairn::web\n`,
  );
}
