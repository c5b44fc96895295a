import asyncio

import aiohttp
from common import *


async def main():
    headers = {"Authorization": aiohttp.encode_basic_auth(CLIENT_ID, CLIENT_SECRET)}
    async with aiohttp.ClientSession(raise_for_status=True) as session:

        async def tokens(**form):
            async with session.post(TOKEN_URL, data=form, headers=headers) as answer:
                return await answer.json()

        first = await tokens(grant_type="password", username=USERNAME, password=PASSWORD, scope="notes:read")
        login = status(first["access_token"])
        second = await tokens(grant_type="refresh_token", refresh_token=first["refresh_token"])
        refresh = status(second["access_token"])
        async with session.post(REVOKE_URL, data={"token": second["refresh_token"]}, headers=headers):
            pass
    tell("aiohttp", login=login == 200, refresh=refresh == 200 and second["refresh_token"] != first["refresh_token"],
         revoke=status(second["access_token"]) == 401)


asyncio.run(main())
