// What the file carries, as recorder/html/html_export.cc has written it.

export interface Check {
  state: "ok" | "bad" | "unknown";
  text: string;
}

export interface About {
  title: string;
  began: string;
  verdict: { state: Check["state"]; word: string; text: string; checks: Check[]; how: string[] };
  warnings: string[];
  facts: { title: string; rows: [string, string][] }[];
  made: string;
}

export interface Index {
  about: About;
  duration: number; // ms
  segments: [at: number, columns: number, rows: number][];
  activity: number[]; // bytes of output in equal parts of the whole time
  outputs: number[]; // when there was output
  hidden_bytes: number;
  are_lines_cut: boolean;
}

export interface Segment {
  state: string; // what brings a reset terminal into the state at its beginning
  at: number[];
  text: string[];
}

export type Kind = "c" | "p" | "w" | "r" | "n" | "x" | "s" | "i" | "g" | "t";

export interface Item {
  at: number;
  kind: Kind | "line"; // a line that could be read on the terminal
  text: string;
  detail: string;
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; ++i) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function unpacked<T>(id: string): Promise<T> {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the file lacks its part "${id}": it was cut or changed`);
  const stream = new Blob([bytesOf(element.textContent ?? "")]).stream().pipeThrough(new DecompressionStream("gzip"));
  return (await new Response(stream).json()) as T;
}

// Times are written as differences, and some events come late.
function summed(differences: number[]): number[] {
  let at = 0;
  return differences.map((difference) => (at += difference));
}

export async function readIndex(): Promise<Index> {
  // What is said of the whole lies apart: who made the rest has eaten the recording's bytes and has no say in it.
  const [index, about] = await Promise.all([unpacked<Index>("index"), unpacked<About>("about")]);
  return { ...index, about, outputs: summed(index.outputs) };
}

export async function readEvents(): Promise<Item[]> {
  const columns = await unpacked<{ at: number[]; kind: string; text: string[]; detail: string[] }>("events");
  const items = summed(columns.at).map((at, i) => ({
    at,
    kind: (columns.kind[i] ?? "s") as Kind,
    text: columns.text[i] ?? "",
    detail: columns.detail[i] ?? "",
  }));
  return items.sort((a, b) => a.at - b.at);
}

export async function readLines(): Promise<Item[]> {
  const columns = await unpacked<{ at: number[]; text: string[] }>("lines");
  return summed(columns.at).map((at, i) => ({ at, kind: "line", text: columns.text[i] ?? "", detail: "" }));
}

const segments = new Map<number, Promise<Segment>>(); // the few that were used last
const keptSegments = 6;

export function readSegment(number: number, begin: number): Promise<Segment> {
  let segment = segments.get(number);
  segments.delete(number);
  if (!segment) {
    segment = unpacked<Segment>(`segment-${number}`).then((read) => {
      let at = begin;
      return { ...read, at: read.at.map((difference) => (at += difference)) };
    });
  }
  segments.set(number, segment);
  for (const old of segments.keys()) {
    if (segments.size <= keptSegments) break;
    segments.delete(old);
  }
  return segment;
}

// The number of the last entry that is not above `value`; -1: all are. `values` ascend.
export function lastNotAbove(values: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
