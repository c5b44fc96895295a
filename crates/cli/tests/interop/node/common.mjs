// What the programs share: their settings, and how they tell what they have done.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export const env = process.env;
export const issuer = env.ISSUER;
export const me = `${issuer}/users/me`;

/** What the server's own API answers to this token. */
export async function status(token) {
  return (await fetch(me, { headers: { authorization: `Bearer ${token}` } })).status;
}

export function tell(name, did) {
  let folder = dirname(createRequire(import.meta.url).resolve(name));
  while (!folder.endsWith(join("node_modules", name))) folder = dirname(folder);
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  console.log(JSON.stringify({ package: name, version, did }));
}

/** What a service with `GET /notes` does with the tokens. */
export async function accepts(service) {
  const server = await new Promise((told) => {
    const server = service.listen(0, "127.0.0.1", () => told(server));
  });
  const takes = async (token) => {
    const url = `http://127.0.0.1:${server.address().port}/notes`;
    const { status } = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    if (![200, 401].includes(status)) throw new Error(`status ${status}`);
    return status === 200;
  };
  const did = { accepts: await takes(env.TOKEN), foreign: !(await takes(env.FOREIGN)), revoked: !(await takes(env.REVOKED)) };
  server.close();
  server.closeAllConnections();
  return did;
}
