// What Gradio's own markup leaves out: the language and the title of the document follow the page's, and so do the words
// that Gradio writes in the browser's language or in English alone. The page gives them beside its title.

(() => {
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
    written(document.querySelector("footer .show-api"), words.api);
    written(document.querySelector("footer .settings"), words.settings);
    document.querySelector("footer .settings img")?.setAttribute("alt", "");
    document.querySelector("footer .show-api img")?.setAttribute("alt", "");
    named("footer", words.footer);
  };
  const lost = (words) => {
    const toast = [...document.querySelectorAll("[data-testid=toast-text]")].find((each) => each.textContent.startsWith("Connection to the server was lost"));
    if (!toast) return;
    let body = toast;
    while (body && !body.querySelector(".toast-title")) body = body.parentElement;
    written(body?.querySelector(".toast-title"), words.lostTitle);
    toast.textContent = words.lost;
  };

  // a heading that takes the focus is read from there on: it stands where what follows it is in sight
  window.medinjectFocus = (selector) => {
    const taken = document.querySelector(selector);
    taken?.focus();
    if (taken?.matches("h3") && taken.getBoundingClientRect().top > innerHeight / 2) taken.scrollIntoView();
  };

  const follow = () => {
    const chosen = document.querySelector("#language input:checked");
    if (chosen && document.documentElement.lang !== chosen.value) document.documentElement.lang = chosen.value;
    const title = document.querySelector("#masthead h1");
    if (!title) return;
    if (document.title !== title.textContent) document.title = title.textContent;
    named(":is(#voter, #citation) .icon-button", title.dataset.copy);
    named(".overflow-menu > button", title.dataset.tabs);
    footer(title.dataset);
    lost(title.dataset);
    // a box is titled with the value that it stands for, which is no word
    document.querySelectorAll("input:is([type=checkbox], [type=radio])[title]").forEach((each) => each.removeAttribute("title"));
  };
  // the choice is also changed from the server when a visitor arrives, which fires no event of the document
  new MutationObserver(follow).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["class", "lang"] });
})();
