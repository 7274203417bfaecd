// Comfort only: every page works without this file.
"use strict";

(() => {
  const KEY = "odzew-shortcuts";
  const remembered = () => {
    try {
      return localStorage.getItem(KEY) !== "off";
    } catch {
      return true; // storage is forbidden in this browser
    }
  };
  let on = remembered();

  for (const part of document.querySelectorAll("[data-needs-script]")) part.hidden = false;

  const toggle = document.querySelector("[data-shortcuts]");
  if (toggle) {
    toggle.checked = on;
    toggle.addEventListener("change", () => {
      on = toggle.checked;
      try {
        localStorage.setItem(KEY, on ? "on" : "off");
      } catch {
        // Until the page is left, then.
      }
    });
  }

  // A menu closes on Escape and by a click elsewhere.
  const menu = document.querySelector("details.menu");
  if (menu) {
    document.addEventListener("click", (event) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  }

  // A second click on the same button must not send the form twice.
  for (const form of document.querySelectorAll("form[method=post]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
    });
  }
  window.addEventListener("pageshow", () => {
    for (const form of document.forms) delete form.dataset.sent;
  });

  const rows = [...document.querySelectorAll("[data-row] .subject")];
  const move = (by) => {
    const at = rows.indexOf(document.activeElement);
    const to = at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by;
    if (rows[to]) {
      rows[to].focus({ preventScroll: true });
      rows[to].closest("[data-row]").scrollIntoView({ block: "nearest" });
    }
  };
  const click = (selector) => document.querySelector(selector)?.click();
  const actions = {
    j: () => move(1),
    k: () => move(-1),
    "/": () => document.querySelector("[data-search]")?.focus(),
    c: () => click("[data-confirm]"),
    n: () => click("[data-next]"),
    u: () => click("[data-back]"),
    1: () => click("[data-urgency='1']"),
    2: () => click("[data-urgency='2']"),
    3: () => click("[data-urgency='3']"),
    4: () => click("[data-urgency='4']"),
  };
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input:not([type=checkbox]), select, textarea");
    if (!on || isTyping || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (!Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key]();
  });
})();
