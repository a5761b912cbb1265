// /login: lets the reader see the key that was typed, which nobody can check as dots.

import { need } from "./dom.js";

const key = need("#key"), button = need("#show-key");

button.hidden = false;
button.addEventListener("click", () => {
  const shown = key.type === "password";
  key.type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", String(shown));
  key.focus();
});
// what is sent is a password again, so that the browser does not keep it among the texts that it suggests
need("form.card").addEventListener("submit", () => {
  key.type = "password";
});
