package main

import (
	"encoding/json"
	"net/http"
	"time"

	"gopkg.in/square/go-jose.v2"
	"gopkg.in/square/go-jose.v2/jwt"
)

func main() {
	response, err := http.Get(issuer + "/.well-known/jwks.json")
	must(err)
	var keys jose.JSONWebKeySet
	must(json.NewDecoder(response.Body).Decode(&keys))
	tell("go-jose", "golang-gopkg-square-go-jose.v2-dev", check(func(token string) bool {
		parsed, err := jwt.ParseSigned(token)
		if err != nil || parsed.Headers[0].Algorithm != string(jose.ES256) {
			return false
		}
		var claims jwt.Claims
		if parsed.Claims(keys, &claims) != nil {
			return false
		}
		return claims.Validate(jwt.Expected{Issuer: issuer, Audience: jwt.Audience{audience}, Time: time.Now()}) == nil
	}))
}
