require_relative "common"
require "rack/oauth2"

client = Rack::OAuth2::Client.new(
  identifier: CLIENT_ID,
  secret: CLIENT_SECRET,
  token_endpoint: "#{ISSUER}/token",
  revocation_endpoint: "#{ISSUER}/revoke",
)
client.resource_owner_credentials = [USERNAME, PASSWORD]
first = client.access_token!(scope: "notes:read")
login = first.get("#{ISSUER}/users/me").status
client.refresh_token = first.refresh_token
second = client.access_token!
refresh = second.get("#{ISSUER}/users/me").status
client.revoke!(refresh_token: second.refresh_token)
tell "rack-oauth2",
     login: login == 200,
     refresh: refresh == 200 && second.refresh_token != first.refresh_token,
     revoke: status(second.access_token) == 401
