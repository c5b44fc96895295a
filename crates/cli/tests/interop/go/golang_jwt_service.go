package main

import (
	"encoding/json"
	"errors"
	"net/http"

	// Elsewhere than in Debian: github.com/golang-jwt/jwt/v4.
	"github.com/golang-jwt/jwt"
	"gopkg.in/square/go-jose.v2"
)

func main() {
	response, err := http.Get(issuer + "/.well-known/jwks.json")
	must(err)
	// It reads no JWKS: go-jose does.
	var keys jose.JSONWebKeySet
	must(json.NewDecoder(response.Body).Decode(&keys))
	key := func(token *jwt.Token) (any, error) {
		kid, _ := token.Header["kid"].(string)
		for _, found := range keys.Key(kid) {
			return found.Key, nil
		}
		return nil, errors.New("an unknown key")
	}
	tell("golang-jwt", "golang-github-golang-jwt-jwt-dev", check(func(token string) bool {
		var claims jwt.RegisteredClaims
		_, err := jwt.ParseWithClaims(token, &claims, key, jwt.WithValidMethods([]string{"ES256"}))
		return err == nil && claims.VerifyIssuer(issuer, true) && claims.VerifyAudience(audience, true)
	}))
}
