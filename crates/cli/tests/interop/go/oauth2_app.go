package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/oauth2"
)

func main() {
	ctx := context.Background()
	config := oauth2.Config{
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
		Scopes:       []string{"notes:read"},
		Endpoint:     oauth2.Endpoint{TokenURL: issuer + "/token"},
	}
	first, err := config.PasswordCredentialsToken(ctx, os.Getenv("USERNAME"), os.Getenv("PASSWORD"))
	must(err)
	login, err := config.Client(ctx, first).Get(issuer + "/users/me")
	must(err)
	// A source refreshes when the access token has expired, as here, where it has none.
	second, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: first.RefreshToken}).Token()
	must(err)
	refresh := status(second.AccessToken)
	// It knows no revocation.
	form := url.Values{"token": {second.RefreshToken}}
	request, err := http.NewRequest("POST", issuer+"/revoke", strings.NewReader(form.Encode()))
	must(err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(config.ClientID), url.QueryEscape(config.ClientSecret))
	revoked, err := http.DefaultClient.Do(request)
	must(err)
	tell("golang.org/x/oauth2", "golang-golang-x-oauth2-dev", map[string]bool{
		"login":   login.StatusCode == 200,
		"refresh": refresh == 200 && second.RefreshToken != first.RefreshToken,
		"revoke":  revoked.StatusCode == 200 && status(second.AccessToken) == 401,
	})
}
