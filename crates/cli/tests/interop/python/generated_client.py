"""Calls a server through the client that openapi-python-client has generated: every answer must be parsed."""
import importlib
import os
import sys

import ficha_generated.models as models
from ficha_generated import AuthenticatedClient, Client

ISSUER = os.environ["ISSUER"]
anybody = Client(base_url=ISSUER, raise_on_unexpected_status=True)
failed, parsed = [], 0


def call(operation, status=200, client=anybody, **arguments):
    global parsed
    tag, name = operation.split(".")
    answer = importlib.import_module(f"ficha_generated.api.{tag}.{name}").sync_detailed(client=client, **arguments)
    if answer.status_code != status or (answer.parsed is None and answer.content):
        failed.append((operation, int(answer.status_code), answer.content[:200]))
    parsed += 1
    return answer.parsed


def form(**members):
    return models.TokenRequest(**members)


PASSWORD = models.TokenRequestGrantType.PASSWORD
login = dict(grant_type=PASSWORD, username="admin", password=os.environ["PASSWORD"], client_id="ficha-cli")
tokens = call("o_auth_2.token", body=form(**login, scope="ficha:admin ficha:account"))
call("o_auth_2.token", 400, body=form(**{**login, "password": "wrong"}))
call("o_auth_2.token", 413, body=form(**{**login, "username": "x" * 70_000}))
admin = AuthenticatedClient(base_url=ISSUER, token=tokens.access_token, raise_on_unexpected_status=True)

for name in ("users", "clients", "sessions", "keys", "scopes", "jobs", "events", "resource_servers"):
    call(f"admin.list_{name}", client=admin)
for name in ("users", "sessions", "events"):
    call(f"admin.list_{name}", client=admin, count="true")
    call(f"admin.list_{name}", client=admin, count="only")
call("admin.show_overview", client=admin)
call("admin.export_events", client=admin)
call("admin.export_events", client=admin, format_="csv")
call("admin.show_user", client=admin, id="admin")
call("admin.show_user", 404, client=admin, id="nobody")
call("admin.export_user", client=admin, id="admin")
call("admin.show_client", client=admin, id="ficha-cli")
call("admin.show_scope", client=admin, name="ficha:admin")
session = call("admin.list_sessions", client=admin).items[0]
call("admin.show_session", client=admin, id=session.id)

new = models.AdminNewClient(id="generated", grants=["client_credentials"], scopes=["a:b"], serves=["a"], audience="a")
made = call("admin.create_client", 201, client=admin, body=new)
call("admin.create_client", 409, client=admin, body=new)
call("admin.change_client", client=admin, id="generated", body=models.AdminClientPatch(forwards_address=True))
call("admin.create_user", 201, client=admin, body=models.AdminNewUser(name="bob"))
call("admin.change_user", client=admin, id="bob", body=models.AdminUserPatch(roles=["x"]))
call("admin.change_user", 412, client=admin, id="bob", body=models.AdminUserPatch(roles=[]), if_match='"0"')
call("admin.set_user_password", client=admin, id="bob", body=models.AdminSetPassword())
call("admin.act_on_user", client=admin, id="bob", action="disable")
which = models.AdminRevokeSessionsFilter()
which["user"] = "bob"
dry = call("admin.revoke_sessions", client=admin, body=models.AdminRevokeSessions(filter_=which, dry_run=True))
done = models.AdminRevokeSessions(filter_=which, dry_run=False, expected=dry.matched)
assert call("admin.revoke_sessions", client=admin, body=done).revoked == 0
call("admin.delete_user", client=admin, id="bob")

for name in ("show_own_user", "list_own_sessions", "list_own_events"):
    call(f"account.{name}", client=admin)
assert call("discovery.jwks").keys[0].kty
assert call("discovery.metadata").issuer == ISSUER
assert call("discovery.resource").resource == ISSUER
assert call("operation.live").status == call("operation.ready").status == "ok"
call("operation.metrics")
call("session.me", client=admin)
call("session.me", 401, client=AuthenticatedClient(base_url=ISSUER, token="x"))

own = dict(client_id="generated", client_secret=made.secret)
issued = call("o_auth_2.token", body=form(grant_type=models.TokenRequestGrantType.CLIENT_CREDENTIALS, **own))
seen = call("o_auth_2.introspect", body=models.IntrospectRequest(token=issued.access_token, **own))
assert seen.active and seen.client_id == "generated"
call("o_auth_2.introspect", 401, body=models.IntrospectRequest(token=issued.access_token))
call("o_auth_2.revoke", body=models.RevokeRequest(token=issued.access_token, **own))
entry = call("denylist.denylist", nonce="n").entries[0]
assert isinstance(entry[0], str) and isinstance(entry[1], int), entry
call("denylist.denylist", 400, wait=99)
call("session.logout", 204, client=admin)
call("session.logout", 401, client=admin)

for one in failed:
    print(*one, file=sys.stderr)
print(parsed, "answers parsed")
sys.exit(1 if failed else 0)
