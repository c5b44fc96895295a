// One stream of events for all tabs of this browser: the tab that holds the lock reads it, and tells the others.
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30000;

/** Calls `tell` with `{kind: "event", name}` for each event, and with `{kind: "ended"}` once the session has ended. */
export function watch(url, tell) {
  const name = `ficha-events ${url}`;
  const channel = "BroadcastChannel" in window ? new BroadcastChannel(name) : undefined;
  if (channel) channel.onmessage = (message) => tell(message.data);
  const say = (message) => {
    tell(message);
    channel?.postMessage(message);
  };
  take_turns(name, url, say);
}

/** Reads the stream while this tab is seen and no other one reads it. A lock is held until its promise is settled. */
async function take_turns(name, url, say) {
  let is_over = false;
  while (!is_over) {
    await shown();
    const work = () => read(url, say);
    // Without locks, each tab has a stream of its own.
    is_over = navigator.locks ? await navigator.locks.request(name, work) : await work();
  }
}

/** Reads the stream until this tab is hidden. True if there is nothing more to come: the session has ended, or it may not. */
async function read(url, say) {
  let pause = FIRST_PAUSE;
  while (!document.hidden) {
    const began = Date.now();
    await until_closed(url, say);
    if (document.hidden) return false;
    const answer = await asked(url);
    if (answer === "ended") say({ kind: "ended" });
    if (answer === "ended" || answer === "refused") return true;
    if (Date.now() - began > LONGEST_PAUSE) pause = FIRST_PAUSE;
    await new Promise((go) => setTimeout(go, pause * (0.5 + Math.random())));
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
  return false;
}

/** Waits until this tab is seen: nobody reads what a hidden one shows. */
function shown() {
  if (!document.hidden) return undefined;
  return new Promise((go) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      go();
    };
    document.addEventListener("visibilitychange", look);
  });
}

function until_closed(url, say) {
  return new Promise((done) => {
    const stream = new EventSource(url);
    const close = () => {
      stream.close();
      document.removeEventListener("visibilitychange", hide);
      done();
    };
    const hide = () => document.hidden && close();
    document.addEventListener("visibilitychange", hide);
    stream.onerror = close;
    for (const name of ["session.revoked", "sessions.revoked", "login.succeeded", "login.failed", "key.purged"]) {
      stream.addEventListener(name, () => say({ kind: "event", name }));
    }
  });
}

/** Whether the session is `live` or has `ended`, without a stream; `refused` if there is none for it, else `unknown`. */
async function asked(url) {
  try {
    const response = await fetch(url, { method: "HEAD", cache: "no-store" });
    if (response.status >= 400 && response.status < 500) return "refused";
    return response.headers.get("x-session") ?? "unknown";
  } catch {
    return "unknown";
  }
}
