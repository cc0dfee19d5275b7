// Time: playing, pausing, jumping, and what is skipped.
import { lastNotAbove, type Index, type Item } from "./data";

export const speeds = [0.25, 0.5, 1, 2, 4, 8, 16, 32];
const idleLimit = 2000; // ms; of a longer spell with nothing to see this much is shown

export class Player {
  now = 0;
  isPlaying = false;
  skipsIdle = true;
  speed = 1;
  // Called when any of these has changed. `isJump`: the time did not get there by playing.
  onChange: (isJump: boolean) => void = () => {};

  private lastFrame = 0;
  private readonly commands: number[];
  private readonly happens: number[]; // when there is something to see

  constructor(
    private readonly index: Index,
    events: Item[],
  ) {
    const commands = events.filter((event) => event.kind === "c");
    const stops = commands.length > 0 ? commands : events.filter((event) => event.kind === "p");
    this.commands = stops.map((event) => event.at);
    const seen = events.filter((event) => event.kind !== "x" && event.kind !== "r").map((event) => event.at);
    this.happens = [...index.outputs, ...seen].sort((a, b) => a - b);
  }

  get duration(): number {
    return this.index.duration;
  }

  toggle(): void {
    if (!this.isPlaying && this.now >= this.duration) this.now = 0;
    this.isPlaying = !this.isPlaying;
    this.lastFrame = performance.now();
    if (this.isPlaying) requestAnimationFrame((time) => this.step(time));
    this.onChange(true);
  }

  seek(time: number): void {
    this.now = Math.min(this.duration, Math.max(0, time));
    this.onChange(true);
  }

  setSpeed(steps: number): void {
    const at = Math.min(speeds.length - 1, Math.max(0, speeds.indexOf(this.speed) + steps));
    this.speed = speeds[at] ?? 1;
    this.onChange(false);
  }

  setSkipsIdle(skips: boolean): void {
    this.skipsIdle = skips;
    this.onChange(false);
  }

  // To the command before or after; a command that has begun within the last second is not "before".
  seekCommand(direction: 1 | -1): void {
    const graceMs = 1000;
    const at = direction > 0 ? this.commands.find((time) => time > this.now) : this.before(this.now - (this.isPlaying ? graceMs : 1));
    if (at !== undefined) this.seek(at);
  }

  private before(time: number): number | undefined {
    return this.commands[lastNotAbove(this.commands, time)];
  }

  private step(time: number): void {
    if (!this.isPlaying) return;
    // A page in the background gets no frames: what it missed is not made up for.
    const passed = Math.min(250, time - this.lastFrame) * this.speed;
    this.lastFrame = time;
    if (passed > 0) this.now = Math.min(this.duration, this.afterIdle(this.now, this.now + passed));
    if (this.now >= this.duration) this.isPlaying = false;
    this.onChange(false);
    if (this.isPlaying) requestAnimationFrame((next) => this.step(next));
  }

  private afterIdle(from: number, to: number): number {
    if (!this.skipsIdle) return to;
    const next = lastNotAbove(this.happens, from) + 1;
    const before = this.happens[next - 1] ?? 0;
    const after = this.happens[next] ?? this.duration;
    const isIdle = after - before > idleLimit && to < after && to - before > idleLimit / 2;
    return isIdle ? Math.max(to, after - idleLimit / 2) : to;
  }
}
