import { readEvents, readIndex, type Item } from "./data";
import { button, clock, make } from "./dom";
import { facts, verdictBadge, warnings } from "./facts";
import { EventList } from "./list";
import { Player, speeds } from "./player";
import { Screen } from "./screen";
import { Search } from "./search";
import { Timeline } from "./timeline";

const keys: [string, string][] = [
  ["space", "play, pause"],
  ["← →", "5 seconds back, forward"],
  ["n  ]", "next command"],
  ["p  [", "command before"],
  ["<  >", "slower, faster"],
  ["i", "skip what is idle"],
  ["/", "search; Enter next, Shift+Enter before, Escape ends it"],
  ["Home End", "beginning, end"],
  ["s", "events, session"],
  ["?", "this help"],
];

async function start(): Promise<void> {
  const [index, events] = await Promise.all([readIndex(), readEvents()]);
  document.title = `${index.about.title} · session recording`;

  const player = new Player(index, events);
  const screen = new Screen(index);
  const timeline = new Timeline(index, events, (time) => player.seek(time));
  const list = new EventList();
  const search = new Search(events);

  const play = button("▶", "play, pause (space)", () => player.toggle(), "play");
  const time = make("output", { class: "time" });
  const speed = button("1×", "speed (< >); press for normal", () => player.setSpeed(speeds.indexOf(1) - speeds.indexOf(player.speed)));
  const idle = button("skip idle", "skip what is idle (i)", () => player.setSkipsIdle(!player.skipsIdle));
  const help = make("div", { class: "help", hidden: "" }, make("h2", {}, "Keys"), make("dl", {}, ...keys.flatMap(([key, what]) => [make("dt", {}, key), make("dd", {}, what)])));
  const controls = make(
    "div",
    { class: "controls" },
    play,
    button("|◀", "command before ( p [ )", () => player.seekCommand(-1)),
    button("▶|", "next command ( n ] )", () => player.seekCommand(1)),
    time,
    timeline.element,
    speed,
    idle,
    button("?", "keys (?)", () => toggle(help)),
  );

  const eventsPane = make("div", { class: "pane" }, search.element, list.element);
  const sessionPane = make("div", { class: "pane", hidden: "" }, facts(index));
  const tabs = [
    button("Events", "what the kernel saw, merged in time", () => open(0), "tab"),
    button("Session", "facts and verification", () => open(1), "tab"),
  ];
  function open(number: 0 | 1): void {
    [eventsPane, sessionPane].forEach((pane, i) => (pane.hidden = i !== number));
    tabs.forEach((tab, i) => tab.setAttribute("aria-pressed", String(i === number)));
  }

  document.body.append(
    make(
      "header",
      {},
      make("h1", {}, index.about.title),
      make("span", { class: "quiet" }, `${index.about.began} · ${clock(index.duration)}`),
      verdictBadge(index.about, () => open(1)),
    ),
    ...warnings(index),
    make("main", {}, make("div", { class: "stage" }, screen.element, controls, help), make("aside", {}, make("nav", {}, ...tabs), eventsPane, sessionPane)),
  );
  open(0);
  screen.open();

  player.onChange = (isJump) => {
    play.textContent = player.isPlaying ? "▮▮" : "▶";
    time.textContent = `${clock(player.now, true)} / ${clock(player.duration)}`;
    speed.textContent = `${player.speed}×`;
    idle.setAttribute("aria-pressed", String(player.skipsIdle));
    timeline.setTime(player.now);
    list.setTime(player.now, isJump);
    void screen.show(player.now).then(() => {
      if (isJump) screen.mark(search.query);
    });
  };
  const pick = (item: Item | undefined) => item && player.seek(item.at);
  list.onPick = pick;
  search.onResult = (items, query) => {
    list.set(items, query, player.now);
    screen.mark(query);
  };
  search.input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") pick(list.neighbour(event.shiftKey ? -1 : 1));
    if (event.key === "Escape") {
      search.clear();
      search.input.blur();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.target === search.input || event.ctrlKey || event.altKey || event.metaKey) return;
    if (press(event.key)) event.preventDefault();
  });

  function press(key: string): boolean {
    const actions: Record<string, () => void> = {
      " ": () => player.toggle(),
      ArrowLeft: () => player.seek(player.now - 5000),
      ArrowRight: () => player.seek(player.now + 5000),
      n: () => player.seekCommand(1),
      "]": () => player.seekCommand(1),
      p: () => player.seekCommand(-1),
      "[": () => player.seekCommand(-1),
      "<": () => player.setSpeed(-1),
      ">": () => player.setSpeed(1),
      i: () => player.setSkipsIdle(!player.skipsIdle),
      Home: () => player.seek(0),
      End: () => player.seek(player.duration),
      s: () => open(sessionPane.hidden ? 1 : 0),
      "?": () => toggle(help),
      Escape: () => (help.hidden = true),
      "/": () => {
        open(0);
        search.input.focus();
        search.input.select();
      },
    };
    const action = Object.hasOwn(actions, key) ? actions[key] : undefined;
    action?.();
    return action !== undefined;
  }

  await search.run();
  player.seek(0);
}

function toggle(element: HTMLElement): void {
  element.hidden = !element.hidden;
}

start().catch((error: unknown) => {
  const why = error instanceof Error ? error.message : String(error);
  document.body.append(make("p", { class: "warning", role: "alert" }, `This recording cannot be shown: ${why}`));
});
