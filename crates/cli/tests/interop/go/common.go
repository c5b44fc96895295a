// What the programs share: their settings, and how they tell what they have done.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
)

var (
	issuer   = os.Getenv("ISSUER")
	audience = os.Getenv("AUDIENCE")
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// What the server's own API answers to this token.
func status(token string) int {
	request, err := http.NewRequest("GET", issuer+"/users/me", nil)
	must(err)
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	must(err)
	response.Body.Close()
	return response.StatusCode
}

// What a service does with the tokens.
func check(accepts func(token string) bool) map[string]bool {
	return map[string]bool{
		"accepts": accepts(os.Getenv("TOKEN")),
		"foreign": !accepts(os.Getenv("FOREIGN")),
		"revoked": !accepts(os.Getenv("REVOKED")),
	}
}

// The libraries are Debian's: its package knows the version.
func tell(name, debian string, did map[string]bool) {
	version, err := exec.Command("dpkg-query", "-W", "-f", "${source:Upstream-Version}", debian).Output()
	must(err)
	line, err := json.Marshal(map[string]any{"package": name, "version": string(version), "did": did})
	must(err)
	fmt.Println(string(line))
}
