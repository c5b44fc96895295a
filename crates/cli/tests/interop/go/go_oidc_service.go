package main

import (
	"context"

	"github.com/coreos/go-oidc"
)

func main() {
	ctx := context.Background()
	keys := oidc.NewRemoteKeySet(ctx, issuer+"/.well-known/jwks.json")
	verifier := oidc.NewVerifier(issuer, keys, &oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.ES256}})
	tell("go-oidc", "golang-github-coreos-go-oidc-dev", check(func(token string) bool {
		_, err := verifier.Verify(ctx, token)
		return err == nil
	}))
}
