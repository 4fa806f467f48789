// What every page does: times in the viewer's zone, ages that go on, dark and light, keys, and the live stream.
"use strict";

(() => {
  const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const long = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

  function age(ms) {
    const minutes = Math.floor(ms / 60000);
    if (minutes < 1) return "now";
    if (minutes < 120) return `${minutes} min`;
    return minutes < 2880 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} d`;
  }

  function localise(root) {
    for (const one of root.querySelectorAll("time[datetime]")) {
      const at = new Date(one.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      one.title = long.format(at);
      // A clock that is simulated, or wrong, would give nonsense: then the server's word stays.
      if (!("age" in one.dataset)) one.textContent = short.format(at);
      else if (Math.abs(Date.now() - serverNow()) < 300000 || at > Date.now()) one.textContent = age(Math.max(0, serverNow() - at));
    }
  }

  const made = document.documentElement.dataset.now ? Date.parse(document.documentElement.dataset.now) : Date.now();
  const loaded = performance.now();
  function serverNow() { return made + (performance.now() - loaded); }

  function isDark() {
    const look = document.documentElement.dataset.look;
    return look ? look === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  document.querySelector("form.look")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const look = isDark() ? "light" : "dark";
    document.documentElement.dataset.look = look;
    document.cookie = `look=${look}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
    document.dispatchEvent(new CustomEvent("look"));
  });

  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const field = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (field) { event.preventDefault(); field.focus(); }
  });

  for (const form of document.querySelectorAll("form[data-confirm]")) {
    form.addEventListener("submit", (event) => { if (!confirm(form.dataset.confirm)) event.preventDefault(); });
  }

  // One stream a page, opened when somebody listens: site.on("reading", data => …). It says at the top whether it is there.
  let stream = null;
  const shown = document.getElementById("live");
  function say(text, on) {
    if (!shown) return;
    shown.hidden = false; shown.textContent = text; shown.className = `live ${on ? "on" : "off"}`;
  }
  function on(kind, handler) {
    if (!("EventSource" in window)) return;
    if (!stream) {
      // From where the page was made: what came since is told at once.
      const cursor = document.querySelector('meta[name="live-cursor"]')?.content ?? "";
      stream = new EventSource(`/live?cursor=${cursor}`);
      stream.onopen = () => say("live", true);
      stream.onerror = () => say(stream.readyState === EventSource.CLOSED ? "not live: load the page again" : "connecting …", false);
    }
    stream.addEventListener(kind, (event) => handler(JSON.parse(event.data)));
  }

  document.querySelector(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }); // on a phone it may be aside
  localise(document);
  setInterval(() => localise(document), 30000);
  window.site = { on, localise, isDark, formToken: document.querySelector('meta[name="form-token"]')?.content ?? "" };
})();
