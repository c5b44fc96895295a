// Package denylist follows Ficha's denylist feed. It uses only the standard library.
// The protocol is described in docs/src/reference/denylist.md.
package denylist

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxDrift = 2.0 // seconds by which the clocks may come to disagree between two answers
	maxBody  = 64 << 20
	pageTime = 15.0 // seconds that the body of a page of the whole list may take in addition, because of its size
)

// Verdict is what is known about a token.
type Verdict int

const (
	Unknown Verdict = iota // it cannot be known: answer 503 with Retry-After
	Allowed                // go on
	Denied                 // refuse with 401
)

// Options of a follower. Each may be left out.
type Options struct {
	ClientID, Secret string        // not needed if the issuer is a loopback address
	Service          string        // "go" if empty
	Lease            time.Duration // 30 seconds if zero, at least 5
	Log              func(string)  // log.Print if nil
}

// Follower is safe for concurrent use.
type Follower struct {
	url     *url.URL
	client  *http.Client
	headers http.Header
	name    url.Values
	seconds float64
	log     func(string)
	ctx     context.Context
	cancel  context.CancelFunc

	mutex  sync.RWMutex // guards the fields below; except for closed, only the goroutine in run writes them
	until  map[string]int64
	ends   float64 // when the lease ends
	right  float64 // the offset that was right when the lease was renewed
	doubt  bool    // from a jump of the wall clock until the whole list has been read again
	closed bool

	cursor string // these are only used by run
	more   bool   // until the whole list has been read
	purged float64
}

// On Linux, Go's monotonic clock stops while the machine sleeps; /proc/uptime does not, and takes some microseconds to
// read. Without that file, a sleep that the monotonic clock does not count shows as a jump of the wall clock.
var (
	uptime, _ = os.Open("/proc/uptime")
	started   = time.Now()
)

func running() float64 {
	if uptime == nil {
		return time.Since(started).Seconds()
	}
	var text [64]byte
	n, _ := uptime.ReadAt(text[:], 0) // always io.EOF, since the file is shorter
	first, _, _ := strings.Cut(string(text[:n]), " ")
	seconds, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return math.Inf(1) // no lease lasts that long
	}
	return seconds
}

func wall() float64   { return float64(time.Now().UnixMicro()) / 1e6 }
func offset() float64 { return wall() - running() } // changes when the wall clock is set

var notInNames = regexp.MustCompile(`[^A-Za-z0-9._:-]`)

func asName(text string, longest int) string {
	text = notInNames.ReplaceAllString(text, "-")
	if len(text) > longest {
		text = text[:longest]
	}
	return text
}

func randomBytes(count int) []byte {
	random := make([]byte, count)
	if _, err := rand.Read(random); err != nil {
		panic(err)
	}
	return random
}

// KeyID returns the id under which a signing key is denied.
func KeyID(kid string) string {
	sum := sha256.Sum256([]byte(kid))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// New starts following.
func New(address string, options Options) (*Follower, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if options.Service == "" {
		options.Service = "go"
	}
	if options.Lease == 0 {
		options.Lease = 30 * time.Second
	}
	if options.Lease < 5*time.Second || options.Lease > 24*time.Hour {
		return nil, errors.New("the lease must be 5 to 86400 seconds")
	}
	if options.Log == nil {
		options.Log = func(text string) { log.Print(text) }
	}
	seconds := options.Lease.Seconds()
	host, _ := os.Hostname()
	name := url.Values{
		"service": {asName(options.Service, 64)},
		// Unique for each start: two followers that share a name can't be told apart.
		"instance": {asName(host, 40) + "-" + hex.EncodeToString(randomBytes(8))},
		"lease":    {strconv.Itoa(int(math.Ceil(seconds)))},
		"stale":    {"refuse"},
	}
	headers := http.Header{"Accept": {"application/json"}}
	if options.ClientID != "" {
		pair := url.QueryEscape(options.ClientID) + ":" + url.QueryEscape(options.Secret)
		headers.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	client := &http.Client{
		// A transport of its own: one connection over HTTP/1.1, and no proxy by accident.
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
			TLSHandshakeTimeout: 2 * time.Second,
			MaxConnsPerHost:     1,
		},
		// A redirect could carry the credentials elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &Follower{
		url: parsed, client: client, headers: headers, name: name, seconds: seconds, log: options.Log,
		ctx: ctx, cancel: cancel, until: map[string]int64{}, right: offset(), more: true, purged: running(),
	}
	go f.run()
	return f, nil
}

// Denies says whether a token with these claims, whose header has this kid, is denied.
// It can't be known for a token that lacks an id.
func (f *Follower) Denies(jti, sid, kid string) Verdict {
	if jti == "" || sid == "" {
		return Unknown
	}
	ids := [3]string{strings.ToLower(jti), strings.ToLower(sid), KeyID(kid)}
	now := wall()
	// The lease is read with the look-up and compared with the clocks after it: the thread may be suspended in between.
	f.mutex.RLock()
	ends, right, closed := f.ends, f.right, f.closed
	denied := false
	for _, id := range ids {
		denied = denied || float64(f.until[id]) > now
	}
	f.mutex.RUnlock()
	if denied {
		return Denied
	}
	byUptime := running()
	byWall := wall() - right
	// Both clocks have to be within the lease, so that a step too small to count as a jump cannot lengthen it either.
	if !closed && math.Max(byUptime, byWall) < ends && math.Abs(byWall-byUptime) <= maxDrift {
		return Allowed
	}
	return Unknown
}

// DoubtsClock is true if a token that looks expired gets a 503, since the time may be wrong.
func (f *Follower) DoubtsClock() bool {
	f.mutex.RLock()
	right, doubt := f.right, f.doubt
	f.mutex.RUnlock()
	return doubt || hasJumped(right)
}

// Close stops following. From then on, Denies returns Denied or Unknown.
func (f *Follower) Close() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.closed = true
	f.cancel()
}

func hasJumped(right float64) bool {
	return !(math.Abs(offset()-right) <= maxDrift)
}

func (f *Follower) run() {
	defer f.client.CloseIdleConnections()
	for failures := 0; f.ctx.Err() == nil; {
		err := f.poll(failures > 0)
		if err == nil {
			failures = 0
			continue
		}
		if f.ctx.Err() != nil {
			return
		}
		f.log("the denylist could not be read: " + err.Error())
		select {
		case <-time.After(duration(f.pause(err, failures))):
		case <-f.ctx.Done():
		}
		failures++
	}
}

func (f *Follower) pause(err error, failures int) float64 {
	wanted := math.Min(0.5*math.Pow(2, float64(failures)), 5)
	var refused *refusal
	isRefused := errors.As(err, &refused)
	if isRefused && (refused.status == 401 || refused.status == 403) {
		wanted = 10
	}
	// Not from math/rand, which before Go 1.20 gives each follower the same numbers.
	wanted *= 0.5 + float64(randomBytes(1)[0])/510
	if isRefused {
		wanted = math.Max(wanted, refused.retryAfter)
	}
	left := f.ends - running()
	if left <= 0 {
		left = f.seconds
	}
	// The last tenth of a second keeps a server from being hammered when the lease is about to end.
	return math.Min(wanted, math.Max(left/3, 0.1))
}

func (f *Follower) poll(failed bool) error {
	if hasJumped(f.right) {
		// Entries may have been removed at a wrong time, so everything is read again.
		f.mutex.Lock()
		f.doubt, f.ends, f.right = true, 0, offset()
		f.mutex.Unlock()
		f.cursor, f.more = "", true
	}
	sent, right := running(), offset()
	wait := math.Min(math.Floor(f.seconds/3), 30)
	if failed || f.ends-sent < wait+2 {
		wait = 0
	}
	nonce := hex.EncodeToString(randomBytes(16))
	body, err := f.ask(url.Values{"after": {f.cursor}, "wait": {strconv.Itoa(int(wait))}, "nonce": {nonce}}, wait+2)
	if err != nil {
		return err
	}
	var page struct {
		Nonce, Cursor string
		More          bool
		Entries       []entry
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return err
	}
	if page.Nonce != nonce {
		return errors.New("a cache in between sent an old page")
	}
	if page.Cursor == "" || page.Entries == nil {
		return errors.New("the answer has no cursor or no entries")
	}
	f.mutex.Lock()
	for _, entry := range page.Entries {
		if entry.until > f.until[entry.id] {
			f.until[entry.id] = entry.until
		}
	}
	f.mutex.Unlock()
	repeated := page.Cursor == f.cursor
	f.cursor, f.more = page.Cursor, page.More
	if page.More && repeated {
		return errors.New("the server announced another page but repeated the cursor")
	}
	if page.More || hasJumped(f.right) {
		return nil
	}
	if !f.doubt {
		f.purge()
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.ends, f.right, f.doubt = sent+f.seconds, right, false
	return nil
}

func (f *Follower) purge() {
	if running()-f.purged < 60 {
		return // going through a long list with every answer would take too much time
	}
	f.purged = running()
	now := wall()
	var over []string
	for id, until := range f.until { // without the lock, since nobody else writes
		if float64(until) <= now {
			over = append(over, id)
		}
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for _, id := range over {
		delete(f.until, id)
	}
}

// ask returns the body of a 200.
func (f *Follower) ask(query url.Values, seconds float64) ([]byte, error) {
	address := *f.url
	all := address.Query()
	for _, values := range []url.Values{f.name, query} {
		for name := range values {
			all.Set(name, values.Get(name))
		}
	}
	address.RawQuery = all.Encode()
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	limit := time.AfterFunc(duration(seconds), cancel)
	defer limit.Stop()
	inTime := func(err error) error {
		if ctx.Err() != nil {
			return errors.New("no complete answer arrived in time")
		}
		var outer *url.Error // it also quotes the whole address
		if errors.As(err, &outer) {
			return outer.Err
		}
		return err
	}
	request, err := http.NewRequestWithContext(ctx, "GET", address.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header = f.headers.Clone()
	answer, err := f.client.Do(request)
	if err != nil {
		return nil, inTime(err)
	}
	defer answer.Body.Close()
	if f.more {
		limit.Reset(duration(pageTime))
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	if err != nil {
		return nil, inTime(err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("the answer is larger than %d bytes", maxBody)
	}
	if answer.StatusCode != 200 {
		after, _ := strconv.ParseUint(answer.Header.Get("Retry-After"), 10, 31)
		return nil, &refusal{answer.StatusCode, float64(after), body}
	}
	return body, nil
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// refusal is an answer other than 200.
type refusal struct {
	status     int
	retryAfter float64
	body       []byte
}

func (r *refusal) Error() string {
	return fmt.Sprintf("the server answered %d: %.300q", r.status, r.body)
}

type entry struct {
	id    string
	until int64
}

// UnmarshalJSON ignores further elements: a later version of the protocol may add some.
func (e *entry) UnmarshalJSON(text []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	if len(parts) < 2 {
		return errors.New("the answer has an unreadable entry")
	}
	if err := json.Unmarshal(parts[0], &e.id); err != nil {
		return err
	}
	e.id = strings.ToLower(e.id)
	return json.Unmarshal(parts[1], &e.until)
}
