from authlib.integrations.requests_client import OAuth2Session
from common import *

session = OAuth2Session(CLIENT_ID, CLIENT_SECRET, scope="notes:read", token_endpoint=TOKEN_URL)
first = session.fetch_token(TOKEN_URL, username=USERNAME, password=PASSWORD)
login = session.get(ME_URL).status_code
second = session.refresh_token(TOKEN_URL, refresh_token=first["refresh_token"])
refresh = session.get(ME_URL).status_code
session.revoke_token(REVOKE_URL, token=second["refresh_token"], token_type_hint="refresh_token")
tell("Authlib", login=login == 200, refresh=refresh == 200 and second["refresh_token"] != first["refresh_token"],
     revoke=status(second["access_token"]) == 401)
