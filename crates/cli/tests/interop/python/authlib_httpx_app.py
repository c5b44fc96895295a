import asyncio

from authlib.integrations.httpx_client import AsyncOAuth2Client
from common import *


async def main():
    async with AsyncOAuth2Client(CLIENT_ID, CLIENT_SECRET, scope="notes:read", token_endpoint=TOKEN_URL) as client:
        first = await client.fetch_token(TOKEN_URL, username=USERNAME, password=PASSWORD)
        login = (await client.get(ME_URL)).status_code
        second = await client.refresh_token(TOKEN_URL, refresh_token=first["refresh_token"])
        refresh = (await client.get(ME_URL)).status_code
        await client.revoke_token(REVOKE_URL, token=second["refresh_token"], token_type_hint="refresh_token")
    tell("Authlib", login=login == 200, refresh=refresh == 200 and second["refresh_token"] != first["refresh_token"],
         revoke=status(second["access_token"]) == 401)


asyncio.run(main())
