// Elements made of text, never of markup.

type Child = Node | string;

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function button(label: string, title: string, onPress: () => void, className = ""): HTMLButtonElement {
  const element = make("button", { type: "button", title, class: className }, label);
  element.addEventListener("click", onPress);
  return element;
}

// "1:02:03", "2:03", with tenths where they are asked for.
export function clock(ms: number, hasTenths = false): string {
  const seconds = Math.floor(ms / 1000);
  const pad = (n: number) => String(n).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const text = hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds % 60)}` : `${minutes}:${pad(seconds % 60)}`;
  return hasTenths ? `${text}.${Math.floor((ms % 1000) / 100)}` : text;
}

// `text` with each place of `query` marked.
export function marked(text: string, query: string): Child[] {
  if (!query) return [text];
  const parts: Child[] = [];
  const lower = text.toLowerCase();
  let at = 0;
  for (let found = lower.indexOf(query); found >= 0; found = lower.indexOf(query, at)) {
    parts.push(text.slice(at, found), make("mark", {}, text.slice(found, found + query.length)));
    at = found + query.length;
  }
  parts.push(text.slice(at));
  return parts;
}
