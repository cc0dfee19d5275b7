// The terminal as it was at any moment: xterm.js, fed from the segment that holds it.
import { Terminal } from "@xterm/xterm";
import { lastNotAbove, readSegment, type Index, type Segment } from "./data";
import { make } from "./dom";

const smallest = 6; // px
const largest = 16;

export class Screen {
  readonly element = make("div", { class: "screen" });
  private readonly terminal = new Terminal({
    scrollback: 0, // what is shown depends on the moment alone, not on how one came there
    disableStdin: true,
    cursorBlink: false,
    cursorInactiveStyle: "block",
    fontFamily: "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace",
    fontSize: 13,
    // No wrapping anew at another size: the recorder's own terminal does not either.
    windowsPty: { backend: "winpty", buildNumber: 1 },
    theme: { background: "#101318", foreground: "#d6dae0", cursor: "#8ab4f8", selectionBackground: "#8a6d1a" },
  });
  private readonly begins: number[];
  private segment: Segment | undefined;
  private number = -1;
  private next = 0; // the segment's output that comes next
  private turn = 0; // a jump that was overtaken by another is given up
  private isJumping = false;

  constructor(private readonly index: Index) {
    this.begins = index.segments.map(([at]) => at);
    new ResizeObserver(() => this.fit()).observe(this.element);
  }

  open(): void {
    this.terminal.open(this.element);
    this.fit();
  }

  // Shows the terminal as it was at `time`. Calls may overtake one another: the last one counts.
  async show(time: number): Promise<void> {
    const number = Math.max(0, lastNotAbove(this.begins, time));
    if (this.isJumping || number !== this.number || !this.segment || this.isBehind(time)) return this.jump(number, time);
    this.write(this.takeUntil(this.segment, time));
  }

  // Marks the first place where the query stands on the screen.
  mark(query: string): void {
    this.terminal.clearSelection();
    if (!query) return;
    const buffer = this.terminal.buffer.active;
    for (let row = 0; row < this.terminal.rows; ++row) {
      const line = buffer.getLine(buffer.viewportY + row)?.translateToString(true) ?? "";
      const column = line.toLowerCase().indexOf(query);
      if (column >= 0) return this.terminal.select(column, row, query.length);
    }
  }

  private isBehind(time: number): boolean {
    return this.next > 0 && (this.segment?.at[this.next - 1] ?? 0) > time;
  }

  private async jump(number: number, time: number): Promise<void> {
    const turn = ++this.turn;
    this.isJumping = true;
    const segment = await readSegment(number, this.begins[number] ?? 0);
    if (turn !== this.turn) return;
    this.isJumping = false;
    const [, columns, rows] = this.index.segments[number] ?? [0, 80, 24];
    this.segment = segment;
    this.number = number;
    this.next = 0;
    this.terminal.reset();
    if (columns !== this.terminal.cols || rows !== this.terminal.rows) {
      this.terminal.resize(columns, rows);
      this.fit();
    }
    await this.write(segment.state + this.takeUntil(segment, time));
    if (number + 1 < this.begins.length) void readSegment(number + 1, this.begins[number + 1] ?? 0);
  }

  private takeUntil(segment: Segment, time: number): string {
    const until = lastNotAbove(segment.at, time) + 1;
    const text = segment.text.slice(this.next, until).join("");
    this.next = Math.max(this.next, until);
    return text;
  }

  private write(text: string): Promise<void> {
    return text ? new Promise((done) => this.terminal.write(text, done)) : Promise.resolve();
  }

  // The largest font with which the whole terminal can be seen.
  private fit(): void {
    const style = getComputedStyle(this.element);
    const width = this.element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const height = this.element.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    if (width <= 0 || height <= 0) return;
    const cell = { width: 0.605, height: 1.2 }; // of the font's size
    const size = Math.min(width / (this.terminal.cols * cell.width), height / (this.terminal.rows * cell.height));
    this.terminal.options.fontSize = Math.min(largest, Math.max(smallest, Math.floor(size * 2) / 2));
  }
}
