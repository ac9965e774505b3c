// Keys of the page, where the focus goes, and votes that are given once. Listens on the document; it knows elements by their ids alone.
// 1 to 5 give the verdict of a duel while its head says so, and N goes to the next duel or ranking once there is nothing
// to vote on any more: then its button is the first one to press. Not while something is being typed.
(() => {
  const verdicts = ["left", "right", "both_good", "both_bad", "unsure"];
  // by the place of a key for digits: on a French keyboard they are typed with shift
  const wanted = (event) => {
    const digit = /^(?:Digit|Numpad)([1-5])$/.exec(event.code);
    if (digit) return armed() ? `verdict-${verdicts[digit[1] - 1]}` : "";
    return event.key.toLowerCase() === "n" ? "duel-next.primary, #ranking-next.primary" : "";
  };
  // a verdict that is changed after the reveal counts as not blind, for good: no stray key may do it
  const armed = () => Boolean(document.getElementById("duel-keys")?.offsetParent);
  const typed = (element) =>
    element.isContentEditable || element.matches("textarea, select, input:not([type=checkbox]):not([type=radio])");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || typed(event.target)) return;
    const named = wanted(event);
    const seen = (each) => !each.disabled && each.offsetParent !== null;
    const button = named && [...document.querySelectorAll(`#${named}`)].find(seen);
    if (!button) return;
    event.preventDefault();
    button.click();
  });

  // a heading that takes the focus is read from there on: it stands where what follows it is in sight
  window.medinjectFocus = (selector) => {
    const taken = document.querySelector(selector);
    taken?.focus();
    if (taken?.matches("h3") && taken.getBoundingClientRect().top > innerHeight / 2) taken.scrollIntoView();
  };

  // what is pressed between a vote and what it reveals, or as that comes, was not meant to change it
  const CALM = 600; // milliseconds that a vote has been drawn for before the next press counts
  let voting = false;
  window.medinjectVoted = () => setTimeout(() => (voting = false), CALM);
  window.addEventListener(
    "click",
    (event) => {
      if (!event.target.closest?.("#verdicts button")) return;
      if (voting) {
        event.stopImmediatePropagation();
        event.preventDefault();
      }
      voting = true;
    },
    true,
  );
})();
