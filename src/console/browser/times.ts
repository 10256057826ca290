import { ago } from "../ago.ts";

/** Says every moment on the page anew, as time goes by. */
export function keepTimes(): void {
  setInterval(() => {
    for (const element of document.querySelectorAll("time")) {
      const words = ago(Date.now() - Date.parse(element.dateTime));
      if (element.textContent !== words) element.textContent = words;
    }
  }, 5000);
}
