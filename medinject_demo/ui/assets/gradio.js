// All that the page relies upon of Gradio's own markup, and what it puts right there: the language and the title of the
// document follow the page's, and so do the words that Gradio writes in the browser's language or in English alone. The
// page gives them beside its title. A test looks for each of these: where an update of Gradio changes one, it says which.
(() => {
  const GRADIO = {
    api: "footer > .show-api",
    settings: "footer > .settings",
    footer: "footer[aria-label]",
    copy: ":is(#voter, #citation) .icon-button",
    tabs: ".overflow-menu > button",
    toast: "[data-testid=toast-text]",
    toastTitle: ".toast-title",
    box: "input:is([type=checkbox], [type=radio])",
    field: ".block :is(textarea, input)",
    // by the style sheets alone
    column: ".gradio-container .main .contain .column > .block",
    row: "#masthead.row",
    html: ".block > .html-container > .prose",
    boxes: "#compare-arms > .wrap[data-testid]",
    numbers: "#compare-sampling .form > .block > label",
    fold: ".block > .label-wrap",
    tab: "#tabs > .tab-wrapper > .tab-container > button.selected",
    measured: "#tabs .tab-container.visually-hidden > button",
    divider: "footer > .divider",
  };
  const LOST = "Connection to the server was lost"; // how a toast begins that says so
  window.medinjectGradio = GRADIO;
  window.medinjectField = (name) => document.querySelector(`#${name}${GRADIO.field}`);

  const written = (element, text) => {
    const node = [...(element?.childNodes ?? [])].find((each) => each.nodeType === Node.TEXT_NODE && each.nodeValue.trim());
    if (node && node.nodeValue.trim() !== text) node.nodeValue = `${text} `;
  };
  const named = (selector, text) => {
    document.querySelectorAll(selector).forEach((each) => {
      ["title", "aria-label"].forEach((name) => {
        if (each.hasAttribute(name) && each.getAttribute(name) !== text) each.setAttribute(name, text);
      });
    });
  };
  const footer = (words) => {
    ["api", "settings"].forEach((each) => {
      const button = document.querySelector(GRADIO[each]);
      written(button, words[each]);
      button?.querySelector("img")?.setAttribute("alt", "");
    });
    named(GRADIO.footer, words.footer);
  };
  const lost = (words) => {
    const toast = [...document.querySelectorAll(GRADIO.toast)].find((each) => each.textContent.startsWith(LOST));
    if (!toast) return;
    let body = toast;
    while (body && !body.querySelector(GRADIO.toastTitle)) body = body.parentElement;
    written(body?.querySelector(GRADIO.toastTitle), words.lostTitle);
    toast.textContent = words.lost;
  };

  const follow = () => {
    const chosen = document.querySelector("#language input:checked");
    if (chosen && document.documentElement.lang !== chosen.value) document.documentElement.lang = chosen.value;
    const title = document.querySelector("#masthead h1");
    if (!title) return;
    if (document.title !== title.textContent) document.title = title.textContent;
    named(GRADIO.copy, title.dataset.copy);
    named(GRADIO.tabs, title.dataset.tabs);
    footer(title.dataset);
    lost(title.dataset);
    // a box is titled with the value that it stands for, which is no word
    document.querySelectorAll(`${GRADIO.box}[title]`).forEach((each) => each.removeAttribute("title"));
  };
  // the choice is also changed from the server when a visitor arrives, which fires no event of the document
  new MutationObserver(follow).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["class", "lang"] });
})();
