// Keys of the page. Listens on the document; it knows elements by their ids alone.
// 1 to 5 give the verdict of a duel and N goes to the next, unless something is being typed.
(() => {
  const buttons = {
    1: "verdict-left",
    2: "verdict-right",
    3: "verdict-both_good",
    4: "verdict-both_bad",
    5: "verdict-unsure",
    n: "duel-next",
  };
  const typed = (element) =>
    element.isContentEditable || element.matches("textarea, select, input:not([type=checkbox]):not([type=radio])");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || typed(event.target)) return;
    const button = document.getElementById(buttons[event.key.toLowerCase()]);
    if (!button || button.disabled || button.offsetParent === null) return;
    event.preventDefault();
    button.click();
  });
})();
