// What is known of the session as a whole, and what was verified when the page was made.
import type { About, Check, Index } from "./data";
import { make } from "./dom";

const signs: Record<Check["state"], string> = { ok: "✓", bad: "✗", unknown: "?" };

export function verdictBadge(about: About, onPress: () => void): HTMLElement {
  const badge = make("button", { type: "button", class: `badge ${about.verdict.state}`, title: about.verdict.text }, `${signs[about.verdict.state]} ${about.verdict.word}`);
  badge.addEventListener("click", onPress);
  return badge;
}

export function facts(index: Index): HTMLElement {
  const { about } = index;
  const checks = about.verdict.checks.map((check) =>
    make("li", { class: check.state }, make("span", { class: "sign" }, signs[check.state]), make("span", {}, check.text)),
  );
  const page = make(
    "div",
    { class: "facts" },
    make(
      "section",
      { class: `verification ${about.verdict.state}` },
      make("h2", {}, "Verification"),
      make("p", {}, about.verdict.text),
      make("ul", {}, ...checks),
      make("p", { class: "quiet" }, "This page is a rendering of the recording, made by the program named below. It is not the signed evidence and nothing in it is signed: the evidence is the recording (.rec), which anybody can verify with public keys alone:"),
      ...about.verdict.how.map((command) => make("pre", {}, command)),
    ),
  );
  for (const group of about.facts) {
    const rows = group.rows.flatMap(([label, value]) => [make("dt", {}, label), make("dd", {}, value)]);
    page.append(make("section", {}, make("h2", {}, group.title), make("dl", {}, ...rows)));
  }
  page.append(make("p", { class: "quiet" }, `${about.made} The terminal is drawn by xterm.js, MIT licence; its text is in the source of this page.`));
  return page;
}

export function warnings(index: Index): HTMLElement[] {
  const all = [...index.about.warnings];
  if (index.hidden_bytes > 0) {
    all.push(`${index.hidden_bytes} bytes of output of other channels than the one shown (file transfers, further terminals) are not in this page.`);
  }
  if (index.are_lines_cut) all.push("The search covers the first part of the terminal's text alone: there is too much of it.");
  return all.map((text) => make("div", { class: "warning", role: "alert" }, text));
}
