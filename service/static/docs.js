// Starts Swagger UI; a file of its own because the content security policy allows no inline script.
SwaggerUIBundle({
  url: document.currentScript.dataset.document,
  dom_id: "#swagger-ui",
  filter: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // would send the document to another site
  presets: [SwaggerUIBundle.presets.apis],
});

// Swagger UI leaves some controls without a name, and what scrolls out of the keyboard's reach.
function makeAccessible() {
  for (const select of document.querySelectorAll("#swagger-ui select:not([aria-label])")) {
    const row = select.closest("tr");
    select.setAttribute("aria-label", row?.querySelector(".parameter__name")?.textContent ?? "Value");
  }
  for (const input of document.querySelectorAll("#swagger-ui .operation-filter-input:not([aria-label])")) input.setAttribute("aria-label", "Filter by tag");
  for (const close of document.querySelectorAll("#swagger-ui .close-modal:not([aria-label])")) close.setAttribute("aria-label", "Close");
  for (const scrolling of document.querySelectorAll("#swagger-ui :is(.microlight, .table-container):not([tabindex])")) scrolling.setAttribute("tabindex", "0");
}
new MutationObserver(makeAccessible).observe(document.querySelector("#swagger-ui"), { childList: true, subtree: true });
