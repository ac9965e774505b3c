// The cards of the tab that compares: enlarge one, go back, copy. Listens on the document, so that cards that are drawn
// anew need no listener of their own; which card is enlarged is kept on the root, which is never drawn anew.
(() => {
  const root = () => document.getElementById("compare-cards");

  const enlarge = (arm) => {
    root().dataset.focus = arm;
    root().querySelector(`[data-arm="${arm}"] [data-act="back"]`)?.focus();
  };

  const back = () => {
    const arm = root()?.dataset.focus;
    if (!arm) return;
    delete root().dataset.focus;
    root().querySelector(`[data-arm="${arm}"] [data-act="enlarge"]`)?.focus();
  };

  const say = (text) => {
    const place = document.getElementById("compare-said");
    place.textContent = text;
    clearTimeout(say.timer);
    say.timer = setTimeout(() => (place.textContent = ""), 4000);
  };

  const copy = async (text, button) => say(await window.medinjectCopied(text, button));

  const textOf = (card) => {
    const text = (card.querySelector(".plain") ?? card.querySelector(".answer")).cloneNode(true);
    text.querySelectorAll(".unseen").forEach((each) => each.remove());
    return text.textContent;
  };

  const held = () => {
    const link = document.getElementById("compare-markdown");
    return decodeURIComponent(link.href.slice(link.href.indexOf(",") + 1));
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("#compare-cards [data-act], #compare-documents [data-act]");
    const card = button?.closest(".card");
    const acts = {
      enlarge: () => enlarge(card.dataset.arm),
      back,
      copy: () => copy(textOf(card), button),
      "copy-all": () => copy(held(), button),
    };
    if (button) acts[button.dataset.act]?.();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.target.closest("input, textarea")) back();
  });
})();
