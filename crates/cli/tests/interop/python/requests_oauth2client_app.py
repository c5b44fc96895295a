from common import *
from requests_oauth2client import OAuth2Client

# It insists on HTTPS; plain HTTP is for this test alone.
client = OAuth2Client(TOKEN_URL, auth=(CLIENT_ID, CLIENT_SECRET), revocation_endpoint=REVOKE_URL, testing=True)
first = client.resource_owner_password(USERNAME, PASSWORD, scope="notes:read")
login = status(first.access_token)
second = client.refresh_token(first)
refresh = status(second.access_token)
client.revoke_refresh_token(second)
tell("requests_oauth2client", login=login == 200, refresh=refresh == 200 and second.refresh_token != first.refresh_token,
     revoke=status(second.access_token) == 401)
