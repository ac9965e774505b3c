// The list of a blind ranking: its items are moved by buttons, by the arrow keys and by dragging, and tied with =. The
// field beside it holds the order as text ("B > A = C"), is what is submitted, and may be written by hand: the list
// follows it. Listens on the document, for the list is drawn anew by the server.
(() => {
  const list = () => document.getElementById("ranking-items");
  const field = () => window.medinjectField("ranking-order");
  const items = () => [...list().children];
  const letters = () => items().map((item) => item.dataset.letter);

  // an order is a list of groups, the best first; who is in one group is tied
  const parsed = (text) => {
    const groups = text.toUpperCase().split(">").map((group) => group.split("=").map((each) => each.trim()));
    const whole = groups.flat().sort().join() === letters().sort().join();
    return whole ? groups : null;
  };
  const written = (groups) => groups.map((group) => [...group].sort().join(" = ")).join(" > ");
  const current = () => parsed(field().value) ?? [letters()];
  const at = (groups, letter) => groups.findIndex((group) => group.includes(letter));
  const without = (groups, letter) => groups.map((group) => group.filter((each) => each !== letter)).filter((group) => group.length);

  const apart = (groups, letter, down) => {
    const place = at(groups, letter);
    const alone = groups[place].length === 1;
    const rest = without(groups, letter);
    if (alone) rest.splice(Math.max(0, Math.min(rest.length, place + (down ? 1 : -1))), 0, [letter]);
    else rest.splice(place + (down ? 1 : 0), 0, [letter]);
    return rest;
  };
  const tie = (groups, letter) => {
    const place = at(groups, letter);
    if (groups[place].length > 1) return apart(groups, letter, true);
    if (place === 0) return groups;
    const rest = without(groups, letter);
    rest[place - 1] = [...rest[place - 1], letter];
    return rest;
  };
  const moves = {
    up: (groups, letter) => apart(groups, letter, false),
    down: (groups, letter) => apart(groups, letter, true),
    tie,
  };

  const ranked = (group, place) => `${place + 1}${group.length > 1 ? ` (${list().dataset.tied})` : ""}`;
  const draw = (groups) => {
    groups.forEach((group, place) => {
      [...group].sort().forEach((letter, number) => {
        const item = items().find((each) => each.dataset.letter === letter);
        list().append(item);
        const tied = group.length > 1;
        item.classList.toggle("tied", tied);
        item.classList.toggle("first", number === 0);
        item.querySelector(".rank").textContent = ranked(group, place);
        item.querySelector("[data-move=tie]").setAttribute("aria-pressed", String(tied));
      });
    });
  };

  // a list that was drawn, or drawn anew, takes the order that stands in its field: Gradio says of neither when it is done
  const shown = () => items().map((item) => `${item.dataset.letter} ${item.querySelector(".rank")?.textContent}`).join();
  const meant = (groups) =>
    groups.flatMap((group, place) => [...group].sort().map((letter) => `${letter} ${ranked(group, place)}`)).join();
  const follow = () => {
    if (list() && field() && shown() !== meant(current())) draw(current());
  };
  new MutationObserver(follow).observe(document, { subtree: true, childList: true, characterData: true });

  const write = (groups, letter) => {
    field().value = written(groups);
    field().dispatchEvent(new Event("input", { bubbles: true }));
    draw(groups);
    const words = list().dataset;
    const place = at(groups, letter);
    const tied = groups[place].length > 1 ? `, ${words.tied}` : "";
    document.getElementById("ranking-moved").textContent = `${words.moved} ${letter}, ${words.rank} ${place + 1}${tied}`;
  };

  const move = (item, act) => {
    const focused = document.activeElement;
    write(moves[act](current(), item.dataset.letter), item.dataset.letter);
    focused?.focus(); // an item that is moved in the document loses it
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("#ranking-items [data-move]");
    if (button) move(button.closest("li"), button.dataset.move);
  });

  document.addEventListener("keydown", (event) => {
    const item = event.target.closest?.("#ranking-items li");
    const act = { ArrowUp: "up", ArrowDown: "down", "=": "tie" }[event.key];
    if (!item || !act || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    move(item, act);
  });

  document.addEventListener("input", (event) => {
    if (event.target === field() && list() && parsed(field().value)) draw(current());
  });

  // dragging: the item stays where it is until it is let go; a line shows where it will stand
  let dragged = null;
  const target = (y) => {
    const others = items().filter((item) => item !== dragged);
    const next = others.find((item) => y < item.getBoundingClientRect().top + item.offsetHeight / 2);
    return { others, place: next ? others.indexOf(next) : others.length };
  };
  const unmark = () => list()?.querySelectorAll(".before, .after").forEach((item) => item.classList.remove("before", "after"));
  const mark = (y) => {
    const { others, place } = target(y);
    unmark();
    if (place < others.length) others[place].classList.add("before");
    else others.at(-1).classList.add("after");
  };
  const dropped = (y) => {
    const letter = dragged.dataset.letter;
    const { others, place } = target(y);
    const rest = without(current(), letter);
    const [above, below] = [others[place - 1], others[place]].map((item) => (item ? at(rest, item.dataset.letter) : -1));
    if (above >= 0 && above === below) rest[above] = [...rest[above], letter]; // let go among tied ones: tied too
    else rest.splice(above + 1, 0, [letter]);
    write(rest, letter);
  };

  document.addEventListener("pointerdown", (event) => {
    const item = event.target.closest("#ranking-items li");
    if (!item || event.button || event.target.closest("button")) return;
    if (event.pointerType !== "mouse" && !event.target.closest(".grip")) return; // a finger elsewhere scrolls
    event.preventDefault();
    dragged = item;
    item.classList.add("dragged");
  });
  document.addEventListener("pointermove", (event) => {
    if (dragged) mark(event.clientY);
  });
  const end = (event, drop) => {
    if (!dragged) return;
    if (drop && dragged.isConnected) dropped(event.clientY);
    unmark();
    dragged.classList.remove("dragged");
    dragged = null;
  };
  document.addEventListener("pointerup", (event) => end(event, true));
  document.addEventListener("pointercancel", (event) => end(event, false));
})();
