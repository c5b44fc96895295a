from authlib.integrations.requests_client import OAuth2Session
from common import *

service = OAuth2Session(os.environ["SERVICE_ID"], os.environ["SERVICE_SECRET"])


def accepts(token):
    seen = service.introspect_token(f"{ISSUER}/introspect", token=token).json()
    return seen["active"] and AUDIENCE in (seen["aud"] if isinstance(seen["aud"], list) else [seen["aud"]])


tell("Authlib", accepts=accepts(VALID), foreign=not accepts(FOREIGN), revoked=not accepts(REVOKED))
