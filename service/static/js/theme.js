// Dark or light as the system says, unless the reader chose. Not a module: it runs before the first paint, so nothing flashes.
(() => {
  const CHOICES = ["system", "light", "dark"];
  const root = document.documentElement;
  const stored = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is switched off
    }
  };
  let theme = CHOICES.includes(stored()) ? stored() : "system";
  const apply = () => (theme === "system" ? root.removeAttribute("data-theme") : root.setAttribute("data-theme", theme));
  apply();
  root.classList.add("js"); // what stands there for browsers without scripts is hidden
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("#theme");
    if (!button) return;
    const label = () => {
      button.textContent = { system: "◐", light: "☀", dark: "☾" }[theme];
      button.setAttribute("aria-label", `Colours: ${theme}. Change`);
      button.title = `Colours: ${theme}`;
    };
    label();
    button.hidden = false;
    button.addEventListener("click", () => {
      theme = CHOICES[(CHOICES.indexOf(theme) + 1) % CHOICES.length];
      try {
        localStorage.setItem("theme", theme);
      } catch {
        // it lasts as long as this page
      }
      apply();
      label();
    });
  });
})();
