// What Gradio's own markup leaves out for screen readers: the language of the document follows the page's.

(() => {
  const follow = () => {
    const chosen = document.querySelector("#language input:checked");
    if (chosen && document.documentElement.lang !== chosen.value) document.documentElement.lang = chosen.value;
  };
  // the choice is also changed from the server when a visitor arrives, which fires no event of the document
  new MutationObserver(follow).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["class", "lang"] });
})();
