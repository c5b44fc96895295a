import json
import urllib.request

from common import *
from jose import JWTError, jwt

keys = json.load(urllib.request.urlopen(JWKS_URL, timeout=10))


def accepts(token):
    try:
        jwt.decode(token, keys, algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER)
        return True
    except JWTError:
        return False


tell("python-jose", accepts=accepts(VALID), foreign=not accepts(FOREIGN), revoked=not accepts(REVOKED))
