# What the programs share: their settings, and how they tell what they have done.
require "json"
require "net/http"

ISSUER, AUDIENCE = ENV.values_at("ISSUER", "AUDIENCE")
CLIENT_ID, CLIENT_SECRET = ENV.values_at("CLIENT_ID", "CLIENT_SECRET")
USERNAME, PASSWORD = ENV.values_at("USERNAME", "PASSWORD")
JWKS_URL = URI("#{ISSUER}/.well-known/jwks.json")

# What the server's own API answers to this token.
def status(token)
  Net::HTTP.get_response(URI("#{ISSUER}/users/me"), "Authorization" => "Bearer #{token}").code.to_i
end

# What a service does with the tokens.
def check
  {
    accepts: yield(ENV.fetch("TOKEN")),
    foreign: !yield(ENV.fetch("FOREIGN")),
    revoked: !yield(ENV.fetch("REVOKED")),
  }
end

def tell(gem, did)
  puts JSON.generate(package: gem, version: Gem::Specification.find_by_name(gem).version.to_s, did: did)
end
