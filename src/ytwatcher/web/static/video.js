// One video: its chart, its rules' rehearsals, and what changes while it is looked at.
"use strict";

(() => {
  const chart = document.getElementById("chart");
  const NARROW = 620;
  let drawn = null;

  async function draw() {
    if (!chart || !window.vegaEmbed) return;
    const answer = await fetch(`${chart.dataset.spec}&look=${window.site.isDark() ? "dark" : "light"}`).catch(() => null);
    if (!answer?.ok) { if (!drawn) chart.textContent = "The chart cannot be loaded; the table below has the numbers."; return; }
    const place = document.createElement("div");
    chart.replaceChildren(place);
    drawn?.finalize();
    // No code is made of text (the policy forbids it): expressions are interpreted. No style element is added either.
    const spec = await answer.json();
    const legend = spec.layer[0].encoding.color.legend;
    if (legend && chart.clientWidth < NARROW) legend.columns = 1; // two names beside one another would be cut off
    drawn = await window.vegaEmbed(place, spec, {
      ast: true, actions: false, defaultStyle: false, tooltip: false, renderer: "canvas", downloadFileName: "chart",
    });
  }

  async function rehearse(place) {
    const id = document.querySelector("[data-subject]").dataset.subject;
    place.textContent = "…";
    const answer = await fetch(`/videos/${id}/rehearsal?rule=${encodeURIComponent(place.dataset.rehearse)}`).catch(() => null);
    if (!answer?.ok) { place.textContent = "It cannot be rehearsed at the moment."; return; }
    const found = await answer.json();
    const messages = found.messages === 1 ? "1 message" : `${found.messages.toLocaleString()} messages`;
    const night = found.at_night ? `, ${found.at_night.toLocaleString()} of them at night` : "";
    place.textContent = `Since ${new Date(found.since).toLocaleDateString()} it would have sent ${messages}${night}.`;
  }

  for (const place of document.querySelectorAll("[data-rehearse]")) {
    place.querySelector("a")?.addEventListener("click", (event) => { event.preventDefault(); rehearse(place); });
  }

  async function refresh() {
    const answer = await fetch(location.href).catch(() => null);
    if (!answer?.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["figures", "read"]) {
      const found = fresh.getElementById(id);
      if (found) document.getElementById(id)?.replaceWith(found);
    }
    window.site.localise(document);
    draw();
  }

  const subject = document.querySelector("[data-subject]").dataset.subject;
  let timer = null;
  window.site.on("reading", (reading) => {
    if (reading.subject === subject) timer ??= setTimeout(() => { timer = null; refresh(); }, 1000);
  });
  document.addEventListener("look", draw);
  draw();
})();
