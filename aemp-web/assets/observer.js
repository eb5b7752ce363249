// Tells when the observer does not answer any more, shows the age that the slider means, and submits a form when a choice is made.
"use strict";
(() => {
  const tell = (text) => {
    const place = document.getElementById("connection");
    if (place && place.textContent !== text) place.textContent = text;
  };
  document.addEventListener("htmx:sseOpen", () => tell("live"));
  document.addEventListener("htmx:sseError", () => tell("no connection to the observer: what is shown is old"));
  document.addEventListener("input", ({ target }) => {
    const age = document.getElementById("age");
    if (target.id !== "ago" || !age) return;
    const seconds = Number(target.value);
    const minutes = Math.floor(seconds / 60);
    const text = minutes ? `${minutes}m${String(seconds % 60).padStart(2, "0")}s` : `${seconds}s`;
    age.textContent = seconds ? `${text} ago` : "now";
  });
  document.addEventListener("change", ({ target }) => {
    if (target.id === "ago" || target.id === "level") target.form.requestSubmit();
  });
})();
