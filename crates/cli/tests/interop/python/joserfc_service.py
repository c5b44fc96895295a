import json
import urllib.request

from common import *
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

keys = KeySet.import_key_set(json.load(urllib.request.urlopen(JWKS_URL, timeout=10)))
claims = jwt.JWTClaimsRegistry(iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": AUDIENCE})


def accepts(token):
    try:
        claims.validate(jwt.decode(token, keys, algorithms=["ES256"]).claims)
        return True
    except JoseError:
        return False


tell("joserfc", accepts=accepts(VALID), foreign=not accepts(FOREIGN), revoked=not accepts(REVOKED))
