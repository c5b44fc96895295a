"""What the programs share: their settings, and how they tell what they have done."""

import importlib.metadata
import json
import os
import urllib.error
import urllib.request

os.environ.setdefault("OAUTHLIB_INSECURE_TRANSPORT", "1")
os.environ.setdefault("AUTHLIB_INSECURE_TRANSPORT", "1")

ISSUER = os.environ["ISSUER"]
CLIENT_ID, CLIENT_SECRET = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
USERNAME, PASSWORD = os.environ["USERNAME"], os.environ["PASSWORD"]
TOKEN_URL, REVOKE_URL, ME_URL = f"{ISSUER}/token", f"{ISSUER}/revoke", f"{ISSUER}/users/me"
JWKS_URL = f"{ISSUER}/.well-known/jwks.json"
AUDIENCE = os.environ["AUDIENCE"]
VALID, REVOKED, FOREIGN = (os.environ[name] for name in ("TOKEN", "REVOKED", "FOREIGN"))


def status(token):
    """What the server's own API answers to this token."""
    request = urllib.request.Request(ME_URL, headers={"Authorization": f"Bearer {token}"})
    try:
        return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code


def tell(package, **did):
    print(json.dumps({"package": package, "version": importlib.metadata.version(package), "did": did}))
