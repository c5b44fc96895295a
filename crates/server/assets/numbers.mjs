// The numbers of the overview, while it is open: asked for when something has happened, at most once in two seconds, and once
// more when the server has counted again.
const PAUSE = 2000;
const COUNTED_AGAIN = 12000;

/** Returns what is to be called when something has happened. */
export function follow(url) {
  let is_asked = false;
  let last;
  return async () => {
    if (is_asked || document.hidden) return;
    is_asked = true;
    clearTimeout(last);
    await new Promise((go) => setTimeout(go, PAUSE));
    is_asked = false;
    await ask(url);
    last = setTimeout(() => ask(url), COUNTED_AGAIN);
  };
}

async function ask(url) {
  try {
    const response = await fetch(url, { cache: "no-store" });
    if (!response.ok) return;
    for (const [name, text] of Object.entries(await response.json())) {
      const place = document.getElementById(`number-${name}`);
      if (place && place.textContent !== text) place.textContent = text;
    }
  } catch {
    // The next event asks again.
  }
}
