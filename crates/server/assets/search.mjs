// Search as one types: the results of a list are replaced, and the form keeps its focus.
import { parsed } from "./html.mjs";

const PAUSE = 250;

/** Searches while somebody types into the form. */
export function search(form) {
  let waiting;
  let asking;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      asking?.abort();
      asking = new AbortController();
      ask(form, asking.signal);
    }, PAUSE);
  });
}

async function ask(form, signal) {
  const url = new URL(form.action);
  for (const [name, value] of new FormData(form)) {
    if (value) url.searchParams.set(name, value);
  }
  try {
    const response = await fetch(url, { signal });
    // What is half typed may be refused: the results say so. Signed out, one is led elsewhere, which a reload shows.
    if (response.redirected || ![200, 400].includes(response.status)) return;
    const results = parsed(await response.text()).getElementById("results");
    if (!results) return;
    document.getElementById("results").replaceWith(document.importNode(results, true));
    history.replaceState(null, "", url);
  } catch {
    // Another letter was typed, or nobody answers: the button still searches.
  }
}
