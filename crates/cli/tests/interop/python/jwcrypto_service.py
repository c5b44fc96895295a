import urllib.request

from common import *
from jwcrypto.common import JWException
from jwcrypto.jwk import JWKSet
from jwcrypto.jwt import JWT

keys = JWKSet.from_json(urllib.request.urlopen(JWKS_URL, timeout=10).read())


def accepts(token):
    try:
        JWT(jwt=token, key=keys, algs=["ES256"], check_claims={"iss": ISSUER, "aud": AUDIENCE, "exp": None})
        return True
    except JWException:
        return False


tell("jwcrypto", accepts=accepts(VALID), foreign=not accepts(FOREIGN), revoked=not accepts(REVOKED))
