require_relative "common"
require "jwt"

keys = ->(_options) { JSON.parse(Net::HTTP.get(JWKS_URL), symbolize_names: true) }
options = { algorithms: ["ES256"], jwks: keys, iss: ISSUER, verify_iss: true, aud: AUDIENCE, verify_aud: true }

did = check do |token|
  JWT.decode(token, nil, true, options)
  true
rescue JWT::DecodeError
  false
end
tell "jwt", did
