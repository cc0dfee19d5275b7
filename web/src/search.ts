// What the list shows: the events of the kinds that are wanted, or what a query finds in all of them and on the screen.
import { readLines, type Item, type Kind } from "./data";
import { make } from "./dom";

const groups: { label: string; kinds: Kind[]; isOn: boolean; title: string }[] = [
  { label: "Programs", kinds: ["c", "p"], isOn: true, title: "what was executed" },
  { label: "Writes", kinds: ["w"], isOn: true, title: "files opened for writing, made, changed, removed" },
  { label: "Reads", kinds: ["r"], isOn: false, title: "files opened for reading, libraries" },
  { label: "Network", kinds: ["n"], isOn: true, title: "connections and sockets" },
  { label: "Ends", kinds: ["x"], isOn: false, title: "processes that ended, hashes of executables" },
];
const limit = 20000; // of what a query finds

export class Search {
  readonly element = make("div", { class: "search" });
  readonly input = make("input", { type: "search", placeholder: "Search terminal and events  ( / )", "aria-label": "Search", spellcheck: "false", autocomplete: "off" });
  onResult: (items: Item[], query: string) => void = () => {};
  query = "";
  private readonly chips = make("div", { class: "chips" });
  private readonly count = make("span", { class: "count" });
  private lines: Item[] | undefined;
  private turn = 0;
  private timer = 0;

  constructor(private readonly events: Item[]) {
    for (const group of groups) this.chips.append(this.chip(group));
    this.chips.append(this.count);
    this.element.append(this.input, this.chips);
    this.input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => void this.run(), 120);
    });
  }

  clear(): void {
    this.input.value = "";
    void this.run();
  }

  async run(): Promise<void> {
    const turn = ++this.turn;
    const query = this.input.value.trim().toLowerCase();
    if (query && !this.lines) this.lines = await readLines();
    if (turn !== this.turn) return;
    this.query = query;
    this.chips.classList.toggle("idle", query !== "");
    const items = query ? this.find(query) : this.wanted();
    this.count.textContent = query ? `${items.length >= limit ? "the first " : ""}${items.length} found` : `${items.length} of ${this.events.length}`;
    this.onResult(items, query);
  }

  private find(query: string): Item[] {
    const found: Item[] = [];
    for (const items of [this.events, this.lines ?? []]) {
      for (const item of items) {
        if (item.text.toLowerCase().includes(query) || item.detail.toLowerCase().includes(query)) found.push(item);
        if (found.length >= limit) break;
      }
    }
    return found.sort((a, b) => a.at - b.at).slice(0, limit);
  }

  // Gaps, and what could weaken the evidence, are always there.
  private wanted(): Item[] {
    const hidden = new Set<string>(groups.filter((group) => !group.isOn).flatMap((group) => group.kinds));
    return this.events.filter((event) => !hidden.has(event.kind));
  }

  private chip(group: (typeof groups)[number]): HTMLElement {
    const chip = make("button", { type: "button", title: group.title, "aria-pressed": String(group.isOn) }, group.label);
    chip.addEventListener("click", () => {
      group.isOn = !group.isOn;
      chip.setAttribute("aria-pressed", String(group.isOn));
      void this.run();
    });
    return chip;
  }
}
