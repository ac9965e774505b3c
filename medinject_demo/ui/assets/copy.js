// Copying a text to the clipboard, for any button: where there is no permission, or the page is not served securely, by
// a selection. A button with `data-copies` copies the field of that id, and says so in its `data-told`.
(() => {
  const selected = (text) => {
    const box = document.createElement("textarea");
    box.value = text;
    box.style.position = "fixed";
    box.style.opacity = "0";
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    return done;
  };

  const copied = async (text, button) => {
    let done = false;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch {
      done = selected(text);
    }
    button.focus();
    return done ? button.dataset.done : button.dataset.failed;
  };
  window.medinjectCopied = copied;

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copies]");
    if (!button) return;
    const told = await copied(document.getElementById(button.dataset.copies).value, button);
    document.getElementById(button.dataset.told).textContent = told;
  });
})();
