require_relative "common"
require "json/jwt"

keys = JSON::JWK::Set.new(JSON.parse(Net::HTTP.get(JWKS_URL)))

did = check do |token|
  claims = JSON::JWT.decode(token, keys, :ES256)
  claims[:iss] == ISSUER && Array(claims[:aud]).include?(AUDIENCE) && claims[:exp] > Time.now.to_i
rescue JSON::JWT::Exception
  false
end
tell "json-jwt", did
