"use strict";
// One key, one decision. Everything here also works by clicking, without this file.
(() => {
  const opened = performance.now();
  const settling = 350; // a second press of the key that brought this page must not decide its case
  const help = document.getElementById("help");
  const answer = document.getElementById("answer");
  let sent = false;

  const seen = (element) => element.offsetParent !== null && !element.disabled;
  const menu = () => document.querySelector("details.menu[open]");
  const find = (key) => {
    const inside = menu();
    const within = inside ? inside.querySelectorAll("[data-key]") : document.querySelectorAll("[data-key]");
    return [...within].find((element) => element.dataset.key === key && seen(element));
  };
  const close = (details) => {
    details.open = false;
    details.querySelector("summary").focus();
  };

  if (answer) {
    answer.addEventListener("submit", (event) => {
      if (sent) {
        event.preventDefault();
        return;
      }
      sent = true;
      answer.elements.namedItem("seconds").value = ((performance.now() - opened) / 1000).toFixed(1);
      document.body.classList.add("sent");
    });
  }
  window.addEventListener("pageshow", () => {
    sent = false;
    document.body.classList.remove("sent");
  });

  document.querySelectorAll("[data-help]").forEach((button) => {
    button.addEventListener("click", () => help.showModal());
  });

  document.querySelectorAll("form[data-ask]").forEach((form) => {
    form.addEventListener("submit", (event) => {
      if (!window.confirm(form.dataset.ask)) event.preventDefault();
    });
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const typing = event.target.matches("input:not([type=radio]):not([type=checkbox]), textarea, select");
    if (typing) {
      if (event.key === "Escape" || (event.key === "Enter" && event.target.dataset.focus)) {
        event.target.blur();
        event.preventDefault();
      }
      return;
    }
    if (help && help.open) return;
    const key = event.key.toLowerCase();
    if (key === "escape" && menu()) {
      close(menu());
      return;
    }
    if (key === "?" && help) {
      help.showModal();
      event.preventDefault();
      return;
    }
    const focus = document.querySelector(`[data-focus="${CSS.escape(key)}"]`);
    const opener = document.querySelector(`[data-open="${CSS.escape(key)}"]`);
    if (!menu() && focus && seen(focus)) {
      focus.focus();
      event.preventDefault();
      return;
    }
    if (!menu() && opener && seen(opener)) {
      opener.parentElement.open = true;
      event.preventDefault();
      return;
    }
    const target = find(key);
    if (!target || event.repeat || sent || performance.now() - opened < settling) return;
    event.preventDefault();
    target.classList.add("pressed");
    target.click();
  });
})();
