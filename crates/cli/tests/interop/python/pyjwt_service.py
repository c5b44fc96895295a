import jwt
from common import *

keys = jwt.PyJWKClient(JWKS_URL)


def accepts(token):
    try:
        jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER)
        return True
    except jwt.InvalidTokenError:
        return False


tell("PyJWT", accepts=accepts(VALID), foreign=not accepts(FOREIGN), revoked=not accepts(REVOKED))
