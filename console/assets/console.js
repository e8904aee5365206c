// Follows the changes of cases: when one is told, the page is asked for again
// and the parts that differ are put in place. What a person is typing, has
// opened or has chosen stays. Without this file every page works all the same.
(() => {
  "use strict";
  document.documentElement.classList.add("js");
  const body = document.body;
  const address = body.dataset.url;
  if (location.pathname + location.search !== address && document.querySelector("#problem")) {
    history.replaceState(null, "", address); // a form was refused: loading the page again must not send it again
  }

  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-auto]");
    if (form) form.requestSubmit();
  });
  document.addEventListener("submit", (event) => {
    // A second click must not carry out a fix twice.
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    form.classList.add("sent");
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      form.classList.remove("sent");
    }
  });

  if (!("live" in body.dataset) || !window.EventSource) return;

  const seen = new Map(); // the parts as the server gave them
  for (const part of document.querySelectorAll("[data-part]")) seen.set(part.id, part.outerHTML);
  const light = document.querySelector("#live");
  const news = document.querySelector("#news");
  const mine = /^\/cases\/(\d+)/.exec(address);
  const ours = /^\/connections(?:\/([a-z0-9-]+))?$/.exec(address);

  const dirty = (control) =>
    control.type === "checkbox" || control.type === "radio" ? control.checked !== control.defaultChecked
    : control.tagName === "SELECT" ? [...control.options].some((o) => o.selected !== o.defaultSelected)
    : control.type !== "hidden" && control.value !== control.defaultValue;

  // carry moves what a person did from the old part to the new one, and tells
  // whether everything found its place.
  const carry = (from, to) => {
    for (const details of from.querySelectorAll("details[id]")) {
      const twin = to.querySelector("#" + CSS.escape(details.id));
      if (twin) twin.open = details.open;
    }
    const moves = [];
    for (const control of from.querySelectorAll("input, textarea, select")) {
      if (!dirty(control) && control !== document.activeElement) continue;
      if (!control.id) continue;
      const twin = to.querySelector("#" + CSS.escape(control.id));
      if (!twin) return null;
      if (dirty(control)) twin.value = control.value;
      moves.push([control, twin]);
    }
    const active = document.activeElement;
    if (!active || !from.contains(active) || !active.id) return () => {};
    const twin = to.querySelector("#" + CSS.escape(active.id));
    let selection = null;
    try { selection = [active.selectionStart, active.selectionEnd, active.selectionDirection]; } catch { /* has none */ }
    return () => {
      if (!twin) return;
      twin.focus({ preventScroll: true });
      if (selection && selection[0] !== null && twin.setSelectionRange) {
        try { twin.setSelectionRange(...selection); } catch { /* a date has none */ }
      }
    };
  };

  const place = (fresh) => {
    let changed = false;
    const parts = [...fresh.querySelectorAll("[data-part]")];
    let before = null;
    for (const part of parts) {
      const html = part.outerHTML;
      const old = document.getElementById(part.id);
      if (old && seen.get(part.id) === html) { before = old; continue; }
      const node = document.importNode(part, true);
      if (old) {
        const focus = carry(old, node);
        if (!focus) { before = old; continue; } // somebody types where nothing is any longer: it stays until they are done
        old.replaceWith(node);
        focus();
      } else if (before && before.parentElement.className === part.parentElement.className) {
        before.after(node);
      } else {
        const home = part.parentElement.id ? document.getElementById(part.parentElement.id) : document.querySelector("." + part.parentElement.className.split(" ")[0]);
        if (!home) continue;
        home.prepend(node);
      }
      seen.set(part.id, html);
      node.classList.add("fresh");
      changed = true;
      before = node;
    }
    for (const old of document.querySelectorAll("[data-part]")) {
      if (fresh.getElementById(old.id)) continue;
      if ([...old.querySelectorAll("input, textarea, select")].some(dirty)) continue;
      old.remove();
      seen.delete(old.id);
      changed = true;
    }
    document.title = fresh.title;
    return changed;
  };

  // The mark of now moves along the life of a token.
  const lives = () => {
    for (const svg of document.querySelectorAll("svg.life[data-from]")) {
      const [from, to, told] = [svg.dataset.from, svg.dataset.to, svg.dataset.now].map(Number);
      if (!svg.dataset.read) svg.dataset.read = String(Math.floor(Date.now() / 1000));
      const now = told + Math.floor(Date.now() / 1000) - Number(svg.dataset.read); // by the server's clock
      const x = Math.round(Math.min(Math.max((now - from) / (to - from), 0), 1) * 560);
      svg.querySelector(".now").setAttribute("cx", x);
      svg.querySelector(".gone").setAttribute("width", x);
      svg.classList.toggle("over", now >= to);
    }
  };
  setInterval(lives, 1000);

  let asking = false, again = false;
  const refresh = async () => {
    if (asking) { again = true; return; }
    asking = true;
    try {
      const answer = await fetch(address, { credentials: "same-origin", redirect: "error", cache: "no-store" });
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (place(fresh) && news) {
          const chip = fresh.querySelector(".headline .chip");
          news.textContent = mine ? "Case " + mine[1] + " has changed" + (chip ? ": " + chip.textContent.trim().toLowerCase() : "") : fresh.title;
        }
      }
    } catch { /* the next change, or the next connection, asks again */ }
    asking = false;
    if (again) { again = false; refresh(); }
  };

  const say = (state, words) => {
    if (!light) return;
    light.className = "live " + state;
    light.title = words;
    light.setAttribute("aria-label", words);
  };

  let stream = null, timer = 0, last = 0;
  const soon = () => { // many changes at once ask for the page a few times a second at most
    clearTimeout(timer);
    const wait = Math.max(30, 300 - (Date.now() - last));
    timer = setTimeout(() => { last = Date.now(); refresh(); }, wait);
  };
  const follow = () => {
    if (stream) return;
    stream = new EventSource("/api/v1/watch");
    stream.addEventListener("open", () => {
      say("on", "Changes show by themselves");
      soon(); // what has changed since the page was made, or while there was no connection
    });
    stream.addEventListener("case", (event) => {
      let change;
      try { change = JSON.parse(event.data); } catch { return; }
      if (!ours && (!mine || String(change.id) === mine[1])) soon();
    });
    stream.addEventListener("connection", (event) => {
      let change;
      try { change = JSON.parse(event.data); } catch { return; }
      if (ours && (!ours[1] || ours[1] === change.connection)) soon();
    });
    stream.addEventListener("error", () => {
      say("off", "Not connected: changes do not show by themselves");
      if (stream.readyState === EventSource.CLOSED) { // refused, not interrupted
        stream = null;
        setTimeout(() => { if (!document.hidden) follow(); }, 5000);
      }
    });
  };
  const rest = () => { if (stream) { stream.close(); stream = null; } };
  // A browser opens six connections to a server: a page that nobody looks at
  // gives its own back.
  document.addEventListener("visibilitychange", () => { document.hidden ? rest() : follow(); });
  window.addEventListener("pagehide", rest);
  window.addEventListener("pageshow", () => { if (!document.hidden) follow(); });
  if (!document.hidden) follow();
})();
