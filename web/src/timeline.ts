// The seek bar: how much there was to see, where commands began, and where something is missing.
import type { Index, Item } from "./data";
import { clock, make } from "./dom";

const colours = { output: "#4b5a70", passed: "#8ab4f8", command: "#7fb685", gap: "#f2777a" };

export class Timeline {
  readonly element = make("div", { class: "timeline" });
  private readonly canvas = make("canvas", { "aria-hidden": "true" });
  private readonly slider = make("input", { type: "range", min: "0", step: "1", "aria-label": "Time" });
  private readonly commands: number[];
  private readonly gaps: number[];
  private now = 0;

  constructor(
    private readonly index: Index,
    events: Item[],
    onSeek: (time: number) => void,
  ) {
    this.commands = events.filter((event) => event.kind === "c").map((event) => event.at);
    this.gaps = events.filter((event) => event.kind === "g" || event.kind === "t").map((event) => event.at);
    this.slider.max = String(Math.max(1, index.duration));
    this.slider.addEventListener("input", () => onSeek(Number(this.slider.value)));
    // Keys belong to the page, which has its own for the same.
    this.slider.addEventListener("keydown", (event) => event.preventDefault());
    this.element.append(this.canvas, this.slider);
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  setTime(now: number): void {
    this.now = now;
    this.slider.value = String(Math.round(now));
    this.slider.setAttribute("aria-valuetext", clock(now));
    this.draw();
  }

  private draw(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    const scale = window.devicePixelRatio;
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
    }
    const context = this.canvas.getContext("2d");
    if (!context) return;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const x = (time: number) => (time / Math.max(1, this.index.duration)) * width;
    this.drawActivity(context, width, height, x(this.now));
    context.fillStyle = colours.command;
    for (const at of this.commands) context.fillRect(x(at), height - 4, 1, 4);
    context.fillStyle = colours.gap;
    for (const at of this.gaps) context.fillRect(x(at) - 1, 0, 3, height);
    context.fillStyle = "#ffffff";
    context.fillRect(Math.min(width - 2, Math.max(0, x(this.now) - 1)), 0, 2, height);
  }

  private drawActivity(context: CanvasRenderingContext2D, width: number, height: number, passed: number): void {
    const { activity } = this.index;
    const most = Math.log1p(Math.max(...activity, 1));
    const step = width / activity.length;
    for (let i = 0; i < activity.length; ++i) {
      const tall = Math.max(1, (Math.log1p(activity[i] ?? 0) / most) * (height - 8));
      context.fillStyle = i * step < passed ? colours.passed : colours.output;
      context.fillRect(i * step, height - 6 - tall, Math.max(1, step - 0.3), tall);
    }
  }
}
