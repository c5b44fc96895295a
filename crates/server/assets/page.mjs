// Every page works without scripts. With them, a form is sent once however often it is clicked, and a page that stays open
// says so when its session has ended.
import { told } from "./data.mjs";
import { watch } from "./events.mjs";
import { follow } from "./numbers.mjs";
import { tick } from "./receipt.mjs";
import { search } from "./search.mjs";

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  // It may have been stopped before there was an answer.
  setTimeout(() => delete form.dataset.sent, 5000);
});

// A server that knows that scripts run sends a page at once, and what is still open in it later.
document.addEventListener("formdata", (event) => {
  if (event.target.method === "post") event.formData.set("scripts", "yes");
});

// A page that the browser kept in memory may show a session that has ended since: it is asked for again.
addEventListener("pageshow", (event) => {
  // Not by reloading: that would send a form again.
  if (event.persisted) location.replace(location.href);
});

const notice = document.getElementById("session-ended");
const numbers = told(document.getElementById("numbers"));
const happened = numbers ? follow(numbers) : () => {};
const events = told(document.getElementById("events"));
if (events) {
  watch(events, (message) => {
    if (message.kind === "ended") {
      notice.hidden = false;
      notice.scrollIntoView({ block: "nearest" });
    } else {
      happened();
    }
  });
}

const receipt = document.querySelector(".receipt");
const stream = told(receipt);
if (stream) tick(receipt, stream);

if (document.getElementById("results")) {
  for (const form of document.querySelectorAll("form[role=search]")) search(form);
}

// Tests, and style, may ask whether scripts run.
document.documentElement.dataset.scripts = "yes";
