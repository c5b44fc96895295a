import json
import urllib.request

from authlib.integrations.flask_oauth2 import ResourceProtector
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from common import *
from flask import Flask
from joserfc.jwk import KeySet


class Validator(JWTBearerTokenValidator):
    def get_jwks(self):
        return KeySet.import_key_set(json.load(urllib.request.urlopen(JWKS_URL, timeout=10)))


require_oauth = ResourceProtector()
require_oauth.register_token_validator(Validator(issuer=ISSUER, resource_server=AUDIENCE))
app = Flask(__name__)


@app.route("/notes")
@require_oauth("notes:read")
def notes():
    return []


def accepts(token):
    code = app.test_client().get("/notes", headers={"Authorization": f"Bearer {token}"}).status_code
    assert code in (200, 401), code
    return code == 200


tell("Authlib", accepts=accepts(VALID), foreign=not accepts(FOREIGN), revoked=not accepts(REVOKED))
