// The address follows the duel or the ranking that is shown, so that to load the page again, or Gradio's doing so when a
// lost connection is back, leads to it, and to no other once it is gone. Knows what is shown by its `data-battle` alone.
(() => {
  const seen = (each) => each.offsetParent !== null;
  let led = new URL(location).searchParams.has("duel"); // until a duel is shown: one that was refused now can be loaded again

  const follow = () => {
    const tab = document.getElementById("tab-duel");
    if (!tab || !seen(tab)) return; // another tab is open: what was shown in this one is still there
    const open = [...document.querySelectorAll("[data-battle]")].find(seen);
    led &&= !open;
    if (led) return;
    const address = new URL(location);
    if (open) address.searchParams.set("duel", open.dataset.battle);
    else address.searchParams.delete("duel");
    if (address.href !== location.href) history.replaceState(history.state, "", address);
  };
  new MutationObserver(follow).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["class", "style"] });
})();
