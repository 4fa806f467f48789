// While rules are typed: what they mean and what they would have told, a moment after the last key.
"use strict";

(() => {
  for (const form of document.querySelectorAll("form[data-try]")) {
    const line = form.querySelector("[data-line]"), shown = form.querySelector("[data-trials]");
    let timer = null, asking = null;

    async function look() {
      asking?.abort();
      asking = new AbortController();
      const values = new URLSearchParams({ line: line.value, target: form.elements.target?.value ?? "", to: form.elements.to?.value ?? "" });
      if (!line.value.trim()) { shown.replaceChildren(); return; }
      try {
        const answer = await fetch(`/rules/try?${values}`, { signal: asking.signal });
        if (!answer.ok) return;
        const found = new DOMParser().parseFromString(await answer.text(), "text/html");
        shown.replaceChildren(...found.body.childNodes);
        window.site?.localise(shown);
      } catch { /* a newer question is on its way, or the server is away: what is shown stays */ }
    }

    form.addEventListener("input", (event) => {
      if (event.target.name === "text") return;
      clearTimeout(timer);
      timer = setTimeout(look, 300);
    });
    if (line.value.trim() && !shown.children.length) look();
  }
})();
