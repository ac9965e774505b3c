// A question that was written and not sent outlives a page that is loaded again. It is kept in this tab alone
// (sessionStorage), for as long as the tab, and forgotten once its answers are drawn: it may be a medical text. Knows the
// boxes by their ids; Gradio tells it what is sent, by medinjectAsked.
(() => {
  const KEPT = "medinject-unsent";
  // each box, and what tells one set of answers to it from the next
  const ANSWERED = {
    "duel-question": () => document.getElementById("duel-answers")?.dataset.battle,
    "ranking-question": () => document.getElementById("ranking-answers")?.dataset.battle,
    "compare-question": () => document.querySelector("#compare-cards .cards")?.dataset.asked,
  };
  const unsent = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  const asked = {}; // by box: what was sent, and which answers were there before
  const sent = {}; // by box: what it still holds and was answered

  const keep = (name) => {
    const text = window.medinjectField(name)?.value;
    if (text === undefined) return; // not drawn yet: what is kept for it stays
    if (text.trim() && text !== sent[name]) unsent[name] = text;
    else delete unsent[name];
    if (Object.keys(unsent).length) sessionStorage.setItem(KEPT, JSON.stringify(unsent));
    else sessionStorage.removeItem(KEPT);
  };

  window.medinjectAsked = (name, text) => {
    asked[name] = { text, before: ANSWERED[name]() };
  };

  const follow = (name) => {
    const now = ANSWERED[name]();
    if (asked[name] && now && now !== asked[name].before) {
      sent[name] = asked[name].text;
      delete asked[name];
      keep(name);
    }
    const empty = window.medinjectField(name);
    if (!empty || empty.value || !unsent[name]) return;
    empty.value = unsent[name];
    empty.dispatchEvent(new Event("input", { bubbles: true }));
  };

  document.addEventListener("input", (event) => {
    const name = Object.keys(ANSWERED).find((each) => window.medinjectField(each) === event.target);
    if (!name) return;
    delete sent[name];
    keep(name);
  });
  addEventListener("pagehide", () => Object.keys(ANSWERED).forEach(keep));
  new MutationObserver(() => Object.keys(ANSWERED).forEach(follow)).observe(document, { subtree: true, childList: true });
})();
