// New readings take the place of the old rows. What changed within a second is fetched together.
"use strict";

(() => {
  const table = document.getElementById("videos");
  if (!table) return;
  const wanted = new Set();
  let timer = null;

  async function refresh() {
    timer = null;
    const ids = [...wanted].slice(0, 100);
    ids.forEach((id) => wanted.delete(id));
    const answer = await fetch(`/overview/rows?ids=${ids.join(",")}`, { headers: { accept: "text/html" } }).catch(() => null);
    if (!answer?.ok) return;
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const fresh of found.querySelectorAll("tr[data-id]")) {
      for (const old of table.querySelectorAll(`tr[data-id="${CSS.escape(fresh.dataset.id)}"]`)) replace(old, fresh.cloneNode(true));
    }
    if (wanted.size) timer = setTimeout(refresh, 1000);
  }

  function replace(old, fresh) {
    const focused = old.contains(document.activeElement);
    const picture = old.querySelector("img");
    if (picture) fresh.querySelector("img")?.replaceWith(picture); // no second look at the picture
    if (old.querySelector(".main")?.textContent !== fresh.querySelector(".main")?.textContent) fresh.classList.add("fresh");
    old.replaceWith(fresh);
    window.site.localise(fresh);
    if (focused) fresh.querySelector("a")?.focus();
  }

  // What happened meanwhile was not recorded, or is too long ago: every row is looked at anew.
  for (const kind of ["reset", "started"]) {
    window.site.on(kind, () => {
      for (const row of table.querySelectorAll("tr[data-id]")) wanted.add(row.dataset.id);
      timer ??= setTimeout(refresh, 1000);
    });
  }

  window.site.on("reading", (reading) => {
    const id = reading.subject;
    if (!id || !table.querySelector(`tr[data-id="${CSS.escape(id)}"]`)) return;
    wanted.add(id);
    timer ??= setTimeout(refresh, 1000);
  });
})();
