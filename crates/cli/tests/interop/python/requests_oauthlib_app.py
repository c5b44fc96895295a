from common import *
from oauthlib.oauth2 import LegacyApplicationClient
from requests_oauthlib import OAuth2Session

session = OAuth2Session(client=LegacyApplicationClient(client_id=CLIENT_ID, scope="notes:read"))
first = session.fetch_token(TOKEN_URL, username=USERNAME, password=PASSWORD, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
login = session.get(ME_URL).status_code
second = session.refresh_token(TOKEN_URL, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
refresh = session.get(ME_URL).status_code
session.post(REVOKE_URL, withhold_token=True, data={"token": second["refresh_token"], "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET})
tell("requests-oauthlib", login=login == 200, refresh=refresh == 200 and second["refresh_token"] != first["refresh_token"],
     revoke=status(second["access_token"]) == 401)
