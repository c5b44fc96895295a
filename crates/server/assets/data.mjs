// What the server tells scripts stands in the page as JSON.

/** The value in a place of the page; undefined if there is none. */
export function told(place) {
  const script = place?.matches("script") ? place : place?.querySelector('script[type="application/json"]');
  return script ? JSON.parse(script.textContent) : undefined;
}
