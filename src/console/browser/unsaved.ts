/** Asks before somebody leaves an edit that is not saved. The server says whether what it sent is already one. */
export function warnOfUnsaved(): void {
  const form = document.querySelector<HTMLFormElement>("form[data-draft]");
  if (form === null) return;
  let isUnsaved = form.dataset["draft"] === "changed";
  let isMeant = false;
  form.addEventListener("input", () => {
    isUnsaved = true;
  });
  // Whatever is sent takes the draft along; what stays on the page (a row more, a row less) changes it.
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) isUnsaved = true;
    else isMeant = true;
  });
  // Cancel, among the buttons of the form, says itself what it does.
  form.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest(".bar a") !== null) isMeant = true;
  });
  window.addEventListener("beforeunload", (event) => {
    if (isUnsaved && !isMeant) event.preventDefault();
    isMeant = false;
  });
}
