// The event list: of a few hundred thousand rows those that can be seen are elements.
import { lastNotAbove, type Item, type Kind } from "./data";
import { clock, make, marked } from "./dom";

const rowHeight = 22; // px, as in style.css
const spare = 10; // rows above and below what can be seen

const names: Record<Item["kind"], string> = {
  c: "command",
  p: "program",
  w: "written",
  r: "read",
  n: "network",
  x: "end",
  s: "session",
  i: "typed",
  g: "gap",
  t: "tamper",
  line: "screen",
};

export class EventList {
  readonly element = make("div", { class: "list", role: "listbox", tabindex: "0", "aria-label": "Events" });
  onPick: (item: Item) => void = () => {};
  private readonly space = make("div", { class: "space" });
  private items: Item[] = [];
  private times: number[] = [];
  private query = "";
  private current = -1;
  private isFollowing = true; // the list scrolls with time, until somebody scrolls it
  private scrollsItself = false;

  constructor() {
    this.element.append(this.space);
    this.element.addEventListener("scroll", () => {
      if (!this.scrollsItself) this.isFollowing = false;
      this.scrollsItself = false;
      this.draw();
    });
    new ResizeObserver(() => this.draw()).observe(this.element);
    this.space.addEventListener("click", (event) => {
      const row = event.target instanceof Element ? event.target.closest<HTMLElement>(".row") : null;
      const item = row ? this.items[Number(row.dataset["at"])] : undefined;
      if (item) this.onPick(item);
    });
  }

  set(items: Item[], query: string, now: number): void {
    this.items = items;
    this.times = items.map((item) => item.at);
    this.query = query;
    this.current = -1;
    this.isFollowing = true;
    this.space.style.height = `${items.length * rowHeight}px`;
    this.draw();
    this.setTime(now, true);
  }

  get count(): number {
    return this.items.length;
  }

  // The item after or before the current one.
  neighbour(direction: 1 | -1): Item | undefined {
    return this.items[this.current + direction];
  }

  setTime(now: number, isJump: boolean): void {
    if (isJump) this.isFollowing = true;
    const current = lastNotAbove(this.times, now);
    if (current === this.current && !isJump) return;
    this.current = current;
    if (this.isFollowing) this.scrollTo(current);
    this.draw();
  }

  private scrollTo(row: number): void {
    const top = Math.max(0, row) * rowHeight;
    const { scrollTop, clientHeight } = this.element;
    if (top >= scrollTop + rowHeight && top <= scrollTop + clientHeight - 3 * rowHeight) return;
    const wanted = Math.max(0, Math.min(top - clientHeight / 2, this.items.length * rowHeight - clientHeight));
    if (Math.abs(wanted - scrollTop) < 1) return;
    this.scrollsItself = true;
    this.element.scrollTop = wanted;
  }

  private draw(): void {
    const first = Math.max(0, Math.floor(this.element.scrollTop / rowHeight) - spare);
    const last = Math.min(this.items.length, first + Math.ceil(this.element.clientHeight / rowHeight) + 2 * spare);
    const rows: HTMLElement[] = [];
    for (let at = first; at < last; ++at) rows.push(this.row(at));
    this.space.replaceChildren(...rows);
  }

  private row(at: number): HTMLElement {
    const item = this.items[at]!;
    const state = at === this.current ? " now" : at > this.current ? " later" : "";
    const row = make(
      "div",
      { class: `row kind-${item.kind}${state}`, role: "option", "data-at": String(at), title: tip(item) },
      make("time", {}, clock(item.at)),
      make("span", { class: "kind" }, names[item.kind as Kind | "line"]),
      make("span", { class: "text" }, ...marked(item.text, this.query)),
    );
    row.setAttribute("aria-selected", String(at === this.current));
    row.style.top = `${at * rowHeight}px`;
    return row;
  }
}

function tip(item: Item): string {
  return item.detail ? `${item.text}\n${item.detail}` : item.text;
}
