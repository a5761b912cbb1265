// Starts Swagger UI; a file of its own because the content security policy allows no inline script.
SwaggerUIBundle({
  url: document.currentScript.dataset.document,
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null, // would send the document to another site
  presets: [SwaggerUIBundle.presets.apis],
});
