import requests
from common import *

credentials = (CLIENT_ID, CLIENT_SECRET)


def tokens(**form):
    answer = requests.post(TOKEN_URL, data=form, auth=credentials, timeout=10)
    answer.raise_for_status()
    return answer.json()


first = tokens(grant_type="password", username=USERNAME, password=PASSWORD, scope="notes:read")
login = status(first["access_token"])
second = tokens(grant_type="refresh_token", refresh_token=first["refresh_token"])
refresh = status(second["access_token"])
requests.post(REVOKE_URL, data={"token": second["refresh_token"]}, auth=credentials, timeout=10).raise_for_status()
tell("requests", login=login == 200, refresh=refresh == 200 and second["refresh_token"] != first["refresh_token"],
     revoke=status(second["access_token"]) == 401)
