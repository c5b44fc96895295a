// A follower of Ficha's denylist feed, for Node.js 18 and later. It uses only the standard library.
// The protocol is described in docs/src/reference/denylist.md.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import os from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

const MAX_DRIFT = 2; // seconds by which the clocks may come to disagree between two answers
const MAX_BODY = 64 * 1024 * 1024;
const PAGE_TIME = 15; // seconds that the body of a page of the whole list may take in addition, because of its size

// On Linux, performance.now() stops while the machine sleeps; os.uptime() does not, and takes about ten microseconds.
// Elsewhere, a sleep that performance.now() does not count shows as a jump of the wall clock.
const running = process.platform === "linux" ? () => os.uptime() : () => performance.now() / 1000;
const wall = () => Date.now() / 1000;
const offset = () => wall() - running(); // changes when the wall clock is set

const formEncoded = (text) => new URLSearchParams([["", text]]).toString().slice(1);
const asName = (text, longest) => text.replace(/[^A-Za-z0-9._:-]/g, "-").slice(0, longest);

/** The id under which a signing key is denied. */
export function keyId(kid) {
  const hex = createHash("sha256").update(kid, "utf8").digest("hex");
  return hex.slice(0, 32).replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}

export class Denylist {
  #until = new Map();
  #cursor = "";
  #more = true; // until the whole list has been read
  #lease = { ends: 0, right: offset() }; // when it ends, and the offset that was right when it was renewed
  #doubt = false; // from a jump of the wall clock until the whole list has been read again
  #purged = running();
  #closing = new AbortController();
  #url;
  #seconds;
  #log;
  #headers = { Accept: "application/json" };
  #name;
  #http;
  #agent;

  /**
   * Starts following. The follower keeps the process alive until it is closed. `lease` is in seconds. The credentials
   * are not needed if the issuer is a loopback address.
   */
  constructor(url, { clientId = "", secret = "", log = console.warn, service = "node", lease = 30 } = {}) {
    if (!(lease >= 5 && lease <= 86_400)) throw new RangeError("the lease must be 5 to 86400 seconds");
    this.#url = new URL(url);
    this.#seconds = lease;
    this.#log = log;
    // Unique for each start: two followers that share a name can't be told apart.
    const instance = `${asName(os.hostname(), 40)}-${randomBytes(8).toString("hex")}`;
    this.#name = { service: asName(service, 64), instance, lease: Math.ceil(lease), stale: "refuse" };
    if (clientId) {
      const pair = `${formEncoded(clientId)}:${formEncoded(secret)}`;
      this.#headers.Authorization = `Basic ${Buffer.from(pair).toString("base64")}`;
    }
    this.#http = this.#url.protocol === "https:" ? https : http;
    this.#agent = new this.#http.Agent({ keepAlive: true, maxSockets: 1 });
    this.#run();
  }

  /** true: refuse with 401. false: go on. null: it cannot be known, answer 503 with Retry-After. */
  denies(claims, kid) {
    // Read before the look-up and compared with the clocks after it: the process may be suspended in between.
    const { ends, right } = this.#lease;
    const now = wall();
    for (const id of [claims.jti.toLowerCase(), claims.sid.toLowerCase(), keyId(kid)]) {
      if (this.#until.get(id) > now) return true;
    }
    const byUptime = running();
    const byWall = wall() - right;
    // Both clocks have to be within the lease, so that a step too small to count as a jump cannot lengthen it either.
    return Math.max(byUptime, byWall) < ends && Math.abs(byWall - byUptime) <= MAX_DRIFT ? false : null;
  }

  /** true: a token that looks expired gets a 503, since the time may be wrong. */
  doubtsClock() {
    return this.#doubt || this.#hasJumped();
  }

  /** Stops following. From then on, `denies` returns true or null. */
  close() {
    this.#closing.abort();
    this.#agent.destroy();
    this.#lease = { ...this.#lease, ends: 0 };
  }

  #hasJumped() {
    return Math.abs(offset() - this.#lease.right) > MAX_DRIFT;
  }

  async #run() {
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#poll(failures > 0);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.#log(`the denylist could not be read: ${error.message}`);
        await sleep(this.#pause(error, failures) * 1000, undefined, { signal }).catch(() => {});
        failures += 1;
      }
    }
  }

  #pause(error, failures) {
    const wanted = error.slow ? 10 : Math.min(0.5 * 2 ** Math.min(failures, 9), 5);
    const left = this.#lease.ends - running();
    const most = (left > 0 ? left : this.#seconds) / 3;
    // The last tenth of a second keeps a server from being hammered when the lease is about to end.
    return Math.min(Math.max(wanted * (0.5 + Math.random() / 2), error.retryAfter ?? 0), Math.max(most, 0.1));
  }

  async #poll(failed) {
    if (this.#hasJumped()) {
      // Entries may have been removed at a wrong time, so everything is read again.
      this.#doubt = this.#more = true;
      this.#lease = { ends: 0, right: offset() };
      this.#cursor = "";
    }
    const sent = running();
    const right = offset();
    const longest = Math.min(Math.floor(this.#seconds / 3), 30);
    const wait = failed || this.#lease.ends - sent < longest + 2 ? 0 : longest;
    const nonce = randomBytes(16).toString("hex");
    const page = JSON.parse(await this.#ask({ after: this.#cursor, wait, nonce, ...this.#name }, wait + 2));
    if (page.nonce !== nonce) throw new Error("a cache in between sent an old page");
    if (typeof page.cursor !== "string" || page.cursor === "") throw new Error("the answer has no cursor");
    for (const [id, until] of page.entries) {
      if (typeof id !== "string" || !Number.isFinite(until)) throw new Error("the answer has an unreadable entry");
      const key = id.toLowerCase();
      if (!(this.#until.get(key) >= until)) this.#until.set(key, until);
    }
    const repeated = page.cursor === this.#cursor;
    this.#cursor = page.cursor;
    this.#more = page.more === true;
    if (this.#more) {
      if (repeated) throw new Error("the server announced another page but repeated the cursor");
      return;
    }
    if (this.#hasJumped() || this.#closing.signal.aborted) return;
    if (!this.#doubt) this.#purge();
    this.#lease = { ends: sent + this.#seconds, right };
    this.#doubt = false;
  }

  #purge() {
    if (running() - this.#purged < 60) return; // going through a long list with every answer would take too much time
    this.#purged = running();
    const now = wall();
    for (const [id, until] of this.#until) if (until <= now) this.#until.delete(id);
  }

  /** Resolves to the body of a 200. Redirects are not followed: they could carry the credentials elsewhere. */
  async #ask(query, seconds) {
    const url = new URL(this.#url);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const request = this.#http.get(url, { agent: this.#agent, headers: this.#headers, signal: this.#closing.signal });
    request.on("error", () => {}); // the error also arrives below, where it is handled
    let isLate = false;
    const end = () => {
      isLate = true;
      request.destroy();
    };
    let limit = setTimeout(end, seconds * 1000);
    try {
      const [answer] = await once(request, "response");
      if (this.#more) {
        clearTimeout(limit);
        limit = setTimeout(end, PAGE_TIME * 1000);
      }
      const chunks = [];
      let size = 0;
      for await (const chunk of answer) {
        size += chunk.length;
        if (size > MAX_BODY) throw new Error(`the answer is larger than ${MAX_BODY} bytes`);
        chunks.push(chunk);
      }
      const body = Buffer.concat(chunks).toString();
      if (answer.statusCode === 200) return body;
      const refused = new Error(`the server answered ${answer.statusCode}: ${JSON.stringify(body.slice(0, 300))}`);
      refused.slow = answer.statusCode === 401 || answer.statusCode === 403;
      const after = answer.headers["retry-after"] ?? "";
      refused.retryAfter = /^\d{1,9}$/.test(after) ? Number(after) : 0;
      throw refused;
    } catch (error) {
      throw isLate ? new Error("no complete answer arrived in time") : error;
    } finally {
      clearTimeout(limit);
    }
  }
}
