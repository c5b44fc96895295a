import httpx
from common import *
from oauthlib.oauth2 import LegacyApplicationClient

client = LegacyApplicationClient(client_id=CLIENT_ID)
http = httpx.Client(auth=httpx.BasicAuth(CLIENT_ID, CLIENT_SECRET))


def post(url, headers, body):
    return http.post(url, headers=headers, content=body).raise_for_status().text


def see():
    url, headers, body = client.add_token(ME_URL)
    return httpx.get(url, headers=headers).status_code


body = client.prepare_request_body(username=USERNAME, password=PASSWORD, scope="notes:read")
form = {"Content-Type": "application/x-www-form-urlencoded"}
first = client.parse_request_body_response(post(TOKEN_URL, form, body))
login = see()
second = client.parse_request_body_response(post(*client.prepare_refresh_token_request(TOKEN_URL, first["refresh_token"])))
refresh = see()
post(*client.prepare_token_revocation_request(REVOKE_URL, second["refresh_token"], token_type_hint="refresh_token"))
tell("oauthlib", login=login == 200, refresh=refresh == 200 and second["refresh_token"] != first["refresh_token"],
     revoke=status(second["access_token"]) == 401)
