// Tells when the observer does not answer any more, and submits the form when a choice is made.
"use strict";
(() => {
  const status = () => document.getElementById("connection");
  const tell = (text) => {
    const place = status();
    if (place && place.textContent !== text) place.textContent = text;
  };
  document.addEventListener("htmx:sseOpen", () => tell("live"));
  document.addEventListener("htmx:sseError", () => tell("no connection to the observer: what is shown is old"));
  document.addEventListener("change", (event) => {
    if (event.target instanceof HTMLSelectElement) event.target.form.requestSubmit();
  });
})();
