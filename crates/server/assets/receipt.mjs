// A receipt goes on after its page was sent: each service is ticked off as it answers.
import { parsed } from "./html.mjs";

/** Follows the receipt in a part of the page at this address, while it is seen, until it is complete or the server ends it. */
export function tick(section, url) {
  let stream;
  let is_over = false;
  const end = () => {
    is_over = true;
    stream.close();
  };
  const open = () => {
    if (is_over || document.hidden) return;
    stream = new EventSource(url);
    // One can ask again, too.
    stream.onerror = end;
    stream.addEventListener("end", end);
    stream.addEventListener("receipt", (event) => show(section, parsed(event.data).body));
  };
  document.addEventListener("visibilitychange", () => {
    stream?.close();
    open();
  });
  open();
}

function show(section, news) {
  const answers = section.querySelector(".answers");
  const summary = answers.querySelector(".summary");
  const said = news.querySelector(".summary");
  if (!said) return;
  // The summary stays where it is, so that screen readers say what is new in it, and nothing else.
  if (summary.textContent !== said.textContent) summary.textContent = said.textContent;
  summary.className = said.className;
  said.remove();
  answers.replaceChildren(summary, ...document.importNode(news, true).childNodes);
  const again = section.querySelector(".actions");
  // What has the focus is not taken away.
  if (again && summary.classList.contains("good") && !again.contains(document.activeElement)) again.remove();
}
