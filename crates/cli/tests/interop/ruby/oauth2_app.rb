require_relative "common"
require "oauth2"

client = OAuth2::Client.new(CLIENT_ID, CLIENT_SECRET, site: ISSUER, token_url: "/token", auth_scheme: :basic_auth)
first = client.password.get_token(USERNAME, PASSWORD, scope: "notes:read")
login = first.get("/users/me").status
second = first.refresh!
refresh = second.get("/users/me").status
# It knows no revocation.
client.request(:post, "/revoke", body: { token: second.refresh_token, client_id: CLIENT_ID, client_secret: CLIENT_SECRET })
tell "oauth2",
     login: login == 200,
     refresh: refresh == 200 && second.refresh_token != first.refresh_token,
     revoke: status(second.token) == 401
