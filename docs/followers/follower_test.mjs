// Prints a token's verdict whenever it changes, until standard input is closed. `vectors PATH` checks the key ids in a
// file instead.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Denylist, keyId } from "./denylist.mjs";

const [mode, path] = process.argv.slice(2);
if (mode === "vectors") {
  const vectors = JSON.parse(readFileSync(path, "utf8"));
  assert.ok(vectors.length > 0);
  for (const { kid, id } of vectors) assert.equal(keyId(kid), id);
  console.log("vectors ok");
} else {
  const { DENYLIST_URL, CLIENT_ID, CLIENT_SECRET, LEASE, JTI, SID, KID } = process.env;
  const denylist = new Denylist(DENYLIST_URL, {
    clientId: CLIENT_ID,
    secret: CLIENT_SECRET,
    log: console.error,
    service: "node-test",
    lease: Number(LEASE),
  });
  let last = "";
  const look = () => {
    const denied = denylist.denies({ jti: JTI, sid: SID }, KID);
    const now = denied === null ? "unknown" : denied ? "denied" : "allowed";
    if (now !== last) console.log(now);
    last = now;
  };
  look();
  const timer = setInterval(look, 5);
  process.stdin.resume().on("end", () => {
    clearInterval(timer);
    denylist.close();
  });
}
