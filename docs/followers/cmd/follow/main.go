// Command follow prints a token's verdict whenever it changes, until standard input is closed. `follow vectors PATH`
// checks the key ids in a file instead.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	denylist "github.com/ficha-auth/ficha/docs/followers"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "vectors" {
		checkVectors(os.Args[2])
		return
	}
	seconds, err := strconv.ParseFloat(os.Getenv("LEASE"), 64)
	if err != nil {
		fail("LEASE: " + err.Error())
	}
	follower, err := denylist.New(os.Getenv("DENYLIST_URL"), denylist.Options{
		ClientID: os.Getenv("CLIENT_ID"),
		Secret:   os.Getenv("CLIENT_SECRET"),
		Service:  "go-test",
		Lease:    time.Duration(seconds * float64(time.Second)),
		Log:      func(text string) { fmt.Fprintln(os.Stderr, text) },
	})
	if err != nil {
		fail(err.Error())
	}
	closed := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(closed)
	}()
	jti, sid, kid := os.Getenv("JTI"), os.Getenv("SID"), os.Getenv("KID")
	words := [...]string{denylist.Unknown: "unknown", denylist.Allowed: "allowed", denylist.Denied: "denied"}
	last := ""
	for {
		if now := words[follower.Denies(jti, sid, kid)]; now != last {
			fmt.Println(now)
			last = now
		}
		select {
		case <-closed:
			follower.Close()
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func checkVectors(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		fail(err.Error())
	}
	var vectors []struct{ Kid, ID string }
	if err := json.Unmarshal(text, &vectors); err != nil {
		fail(err.Error())
	}
	if len(vectors) == 0 {
		fail("there are no vectors")
	}
	for _, vector := range vectors {
		if id := denylist.KeyID(vector.Kid); id != vector.ID {
			fail(fmt.Sprintf("the id of %q is %s instead of %s", vector.Kid, id, vector.ID))
		}
	}
	fmt.Println("vectors ok")
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
