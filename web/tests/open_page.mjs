// Opens an exported recording in a real Chromium from disk and uses it as a person would. Everything that a browser tells of a page
// that is not as quiet as it should be fails: a request, an error, a violation of its policy, a dialogue, another page.
//   node open_page.mjs FILE.html EXPECTED.json
// EXPECTED  {"verdict": class of the badge, "badge": its text, "title": of the page, "end": text on the last screen,
//            "moments": [[ms, what was on the screen then] …], "commands": [texts of the list], "search": [[query, what the list then shows] …], "facts": [texts]}
// Exit 0, or 1 with what was otherwise.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { resolve } from "node:path";
import { chromium } from "playwright-core";

const [file, expectedFile, picture] = process.argv.slice(2);
const expected = JSON.parse(readFileSync(expectedFile, "utf8"));
const address = pathToFileURL(resolve(file)).href;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"],
});
const page = await browser.newPage({ viewport: { width: 1400, height: 800 } });
const noises = [];
page.on("request", (request) => request.url() === address || noises.push(`request ${request.url()}`));
page.on("websocket", (socket) => noises.push(`socket ${socket.url()}`));
page.on("console", (message) => noises.push(`console: ${message.text()}`));
page.on("pageerror", (error) => noises.push(`error: ${error.stack}`));
page.on("dialog", (dialog) => noises.push(`dialogue: ${dialog.message()}`));
page.on("popup", (other) => noises.push(`another page: ${other.url()}`));
page.on("download", (download) => noises.push(`download: ${download.url()}`));
await page.addInitScript(() => {
  globalThis.violations = [];
  document.addEventListener("securitypolicyviolation", (event) => globalThis.violations.push(`${event.violatedDirective}: ${event.blockedURI}`));
});

const rows = () => page.evaluate(() => [...document.querySelectorAll(".xterm-rows > div")].map((row) => row.textContent.replaceAll("\u00a0", " ").trimEnd()));
const screen = async () => (await rows()).join("\n");
const listed = () => page.locator(".list .row").allTextContents();
const now = () => page.locator(".time").textContent();

async function until(what, isSo) {
  const deadline = Date.now() + 15000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`waited 15 s until ${what}; the screen:\n${await screen()}\nthe list:\n${(await listed()).join("\n")}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

async function seek(time) {
  await page.locator(".timeline input").evaluate((slider, value) => {
    slider.value = String(value);
    slider.dispatchEvent(new Event("input"));
  }, time);
  let before = "";
  // The terminal draws with the next frames.
  await until(`the screen at ${time} ms stands still`, async () => {
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done)))));
    const drawn = await screen();
    const isStill = drawn === before;
    before = drawn;
    return isStill;
  });
  return before;
}

async function opens() {
  await page.goto(address);
  await page.locator(".badge, .warning").first().waitFor();
  if (!(await page.locator(".badge").isVisible())) throw new Error(await page.locator(".warning").first().textContent());
  assert.ok((await page.title()).startsWith(expected.title), `title: ${await page.title()}`);
  assert.equal(await page.locator(".badge").getAttribute("class"), `badge ${expected.verdict}`);
  assert.ok((await page.locator(".badge").textContent()).includes(expected.badge), await page.locator(".badge").textContent());
}

async function plays() {
  assert.ok(!(await screen()).includes(expected.end), "it begins with its end");
  await page.keyboard.press(">");
  await page.keyboard.press(">");
  await page.keyboard.press(" ");
  await until("the recording has been played to its end", async () => (await screen()).includes(expected.end) && (await page.locator(".play").textContent()) === "▶");
  const [at, whole] = (await now()).split("/").map((each) => each.trim());
  assert.ok(at.startsWith(whole), `it stops at ${at} of ${whole}`);
}

// What is to be seen at a moment does not depend on how one came there.
async function jumps() {
  const duration = Number(await page.locator(".timeline input").getAttribute("max"));
  const times = Array.from({ length: 16 }, (_, i) => Math.round((duration * i) / 15));
  const seen = new Map();
  for (const time of times) seen.set(time, await seek(time));
  for (const time of [...times].sort((a, b) => ((a * 7919) % 1009) - ((b * 7919) % 1009))) assert.equal(await seek(time), seen.get(time), `at ${time} ms`);
  assert.ok(seen.get(duration).includes(expected.end));
  assert.ok(new Set(seen.values()).size > 1, "all moments look alike");
}

// The same as another terminal has made of it.
async function agrees() {
  const duration = Number(await page.locator(".timeline input").getAttribute("max"));
  const lines = (text) => text.split("\n").map((line) => line.trimEnd()).join("\n").trimEnd();
  for (const [time, text] of expected.moments.filter(([time]) => time < duration)) assert.equal(lines(await seek(time)), lines(text), `at ${time} ms`);
}

// Rows that cannot be seen are no elements.
async function allRows() {
  const seen = new Set();
  for (let top = 0; ; top += 200) {
    const isPast = await page.locator(".list").evaluate((list, to) => {
      list.scrollTop = to;
      return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(to > list.scrollHeight))));
    }, top);
    for (const row of await listed()) seen.add(row);
    if (isPast) return [...seen];
  }
}

async function lists() {
  const shown = await allRows();
  for (const command of expected.commands) assert.ok(shown.some((row) => row.includes(command)), `no "${command}" in\n${shown.join("\n")}`);
  await seek(0);
  await page.locator(".list").evaluate((list) => (list.scrollTop = 0));
  await page.locator(".list .row", { hasText: expected.commands[0] }).first().click();
  assert.ok((await page.locator(".list .row.now").textContent()).length > 0);
}

async function searches() {
  for (const [query, found] of expected.search) {
    await page.keyboard.press("/");
    await page.keyboard.type(query);
    await until(`"${query}" finds "${found}"`, async () => {
      const shown = await listed();
      return shown.length > 0 && shown.every((row) => row.toLowerCase().includes(query.toLowerCase()) || row.length > 0) && shown.some((row) => row.includes(found)) && /found/.test(await page.locator(".count").textContent());
    });
    await page.locator(".list .row", { hasText: found }).first().click();
    await page.locator(".search input").focus();
    await page.keyboard.press("Escape");
  }
  await page.keyboard.press("/");
  await page.keyboard.type("nowhere to be found, not at all");
  await until("nothing is found", async () => (await page.locator(".count").textContent()) === "0 found");
  await page.keyboard.press("Escape");
}

async function tells() {
  await page.locator(".badge").click();
  const text = await page.locator(".facts").textContent();
  for (const fact of expected.facts) assert.ok(text.includes(fact), `no "${fact}" in:\n${text}`);
}

try {
  for (const step of [opens, plays, jumps, agrees, lists, searches, tells]) {
    await step();
    console.log(`${step.name}: yes`);
  }
  if (picture) {
    await page.locator("nav button").first().click();
    await seek(Number(await page.locator(".timeline input").getAttribute("max")));
    await page.screenshot({ path: picture });
  }
  noises.push(...(await page.evaluate(() => globalThis.violations)));
  assert.equal(await page.evaluate(() => "pwned" in globalThis), false, "something of the recording has run");
  assert.deepEqual(noises, [], "the page was not quiet");
} catch (error) {
  console.error(`${error.message}\n${noises.join("\n")}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
