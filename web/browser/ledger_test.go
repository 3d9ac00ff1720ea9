package browser

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/muleteer/muleteer/extent"
)

const chunk = 6 << 20 // bytes of one request of the client
const workers = 4     // requests at once

// patience is for what would never happen: the machine may have much to do.
const patience = 2 * time.Minute

// ledger is the account of the bytes of files that pass a line: which were
// sent, which the server has acknowledged, and which may be sent again because
// they were under way when something broke. It also lets the line stand still.
type ledger struct {
	mu      sync.Mutex
	moved   *sync.Cond
	files   map[string]*account
	flights map[*flight]bool // requests under way
	until   int64            // the line stands still while so many bytes are there or under way
	there   int64            // bytes acknowledged, each once
	waiting int              // flights that stand still
	most    int              // flights at once
	broken  bool             // something is about to break, or is broken
	breaks  int
	again   int64 // bytes sent again since the last break
	twice   int64 // bytes sent again in all
	wrong   []string
	story   []string // what happened, for who has to find out why
	begun   time.Time
}

// account is that of one file.
type account struct{ sent, there, may extent.Set }

// flight is one request with bytes of a file.
type flight struct {
	file   string
	bytes  extent.Extent
	passed int64
	cut    bool
	broken bool // it met a break; who sent it may have gone
}

func newLedger() *ledger {
	l := &ledger{files: map[string]*account{}, flights: map[*flight]bool{}, until: math.MaxInt64, begun: time.Now()}
	l.moved = sync.NewCond(&l.mu)
	return l
}

// tell adds to the story; the lock is held.
func (l *ledger) tell(format string, args ...any) {
	l.story = append(l.story, fmt.Sprintf("%7.3f ", time.Since(l.begun).Seconds())+fmt.Sprintf(format, args...))
}

// common is how many bytes of e are in s.
func common(s extent.Set, e extent.Extent) int64 { return e.End - e.Start - s.Missing(e).Len() }

// begin enters a request.
func (l *ledger) begin(file string, e extent.Extent) *flight {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &flight{file: file, bytes: e}
	l.flights[f] = true
	l.most = max(l.most, len(l.flights))
	l.tell("begins %s %v", file, e)
	if l.files[file] == nil {
		l.files[file] = &account{}
	}
	l.moved.Broadcast()
	return f
}

// passed notes that more bytes of a flight were given to the server. What was
// given before may come again only if it was under way at a break, and after
// each break no more than one chunk of each worker.
func (l *ledger) passed(f *flight, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, a := extent.At(f.bytes.Start+f.passed, int64(n)), l.files[f.file]
	f.passed += int64(n)
	if n := common(a.sent, e); n > 0 {
		l.again += n
		l.twice += n
		if m := common(a.may, e); m < n {
			l.object("%s %v: %d bytes are sent again that no break had hit", f.file, e, n-m)
		}
		if l.again > workers*chunk {
			l.object("%s %v: %d bytes are sent again after break %d", f.file, e, l.again, l.breaks)
		}
	}
	a.sent = a.sent.Add(e)
	a.may = without(a.may, e)
	if f.broken {
		a.may = a.may.Add(e)
	}
}

// object notes what is wrong, once for each break.
func (l *ledger) object(format string, args ...any) {
	if len(l.wrong) <= l.breaks {
		l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
		l.tell("WRONG")
	}
}

// forgive lets all be sent again that the server has not acknowledged, and what
// still comes of requests under way: of a sender that has gone, some bytes may
// be in the air.
func (l *ledger) forgive() {
	for f := range l.flights {
		f.broken = true
	}
	for _, a := range l.files {
		a.may = a.sent
		for _, e := range a.there {
			a.may = without(a.may, e)
		}
	}
}

// without is what of s is not in e.
func without(s extent.Set, e extent.Extent) (left extent.Set) {
	for _, x := range s {
		for _, m := range extent.Of(e).Missing(x) {
			left = left.Add(m)
		}
	}
	return left
}

// pass waits until the line moves; false says that the flight has ended.
func (l *ledger) pass(f *flight) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting++
	l.moved.Broadcast()
	for !f.cut && l.held() {
		l.moved.Wait()
	}
	l.waiting--
	return !f.cut
}

func (l *ledger) held() bool {
	n := l.there
	for f := range l.flights {
		n += f.passed
	}
	return n >= l.until
}

// heard notes what the server answered to a flight.
func (l *ledger) heard(f *flight, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.files[f.file]
	l.tell("%d for %v", status, f.bytes)
	if status >= 300 && status != http.StatusPermanentRedirect {
		a.may = a.may.Add(f.bytes) // it was refused
		return
	}
	l.take(a, f.bytes)
	f.passed = 0 // it counts as there now
}

// told notes what the server said that it has: "0-99,200-299". The answer to a
// request that was broken off nobody has seen.
func (l *ledger) told(file, ranges string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.files[file]
	if a == nil {
		return
	}
	l.tell("has %s of %s", ranges, file)
	for _, r := range strings.Split(ranges, ",") {
		var first, last int64
		if n, _ := fmt.Sscanf(strings.TrimSpace(r), "%d-%d", &first, &last); n == 2 {
			l.take(a, extent.Extent{Start: first, End: last + 1})
		}
	}
}

func (l *ledger) take(a *account, e extent.Extent) {
	before := a.there.Len()
	a.there = a.there.Add(e)
	l.there += a.there.Len() - before
}

// failed notes a request that got no answer.
func (l *ledger) failed(r *http.Request, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell("%s %s gets no answer: %v", r.Method, r.Header.Get("Content-Range"), err)
}

func (l *ledger) end(f *flight) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.flights, f)
	l.tell("ends %v", f.bytes)
	l.moved.Broadcast()
}

// let lets bytes pass until so many are there or under way; then the line
// stands still.
func (l *ledger) let(until int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		l.forgive() // what began meanwhile has met the break, too
	}
	l.until, l.broken = until, false
	l.tell("lets pass until %d", until)
	l.moved.Broadcast()
}

// cut ends everything under way.
func (l *ledger) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for f := range l.flights {
		f.cut = true
	}
	l.tell("is cut")
	l.moved.Broadcast()
}

// still waits until the line stands still with requests under way: now is the
// moment to break something.
func (l *ledger) still() error {
	stands := func() bool { return len(l.flights) > 0 && l.waiting == len(l.flights) && l.held() }
	if err := l.await(stands); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgive()
	l.broken, l.again = true, 0
	l.breaks++
	l.tell("stands still before break %d", l.breaks)
	return nil
}

// quiet wants nothing to be sent any more.
func (l *ledger) quiet() error {
	if err := l.await(func() bool { return len(l.flights) == 0 }); err != nil {
		return errors.New("it goes on sending")
	}
	// That nothing comes can only be seen by waiting.
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		l.mu.Lock()
		n := len(l.flights)
		l.mu.Unlock()
		if n > 0 {
			return errors.New("it sends again")
		}
	}
	return nil
}

// await waits for a condition, which is looked at under the lock.
func (l *ledger) await(ok func() bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	end := time.Now().Add(patience)
	late := time.AfterFunc(patience, l.moved.Broadcast)
	defer late.Stop()
	for !ok() {
		if time.Now().After(end) {
			return errors.New("what was waited for did not come")
		}
		l.moved.Wait()
	}
	return nil
}

// String tells how the line stands.
func (l *ledger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "the line: %d bytes acknowledged, stands still at %d, %d of %d requests wait, %d breaks, %d bytes sent twice\n",
		l.there, l.until, l.waiting, len(l.flights), l.breaks, l.twice)
	for f := range l.flights {
		fmt.Fprintf(&b, "  %s %v: %d bytes passed, cut %t\n", f.file, f.bytes, f.passed, f.cut)
	}
	for _, s := range l.story[max(0, len(l.story)-60):] {
		fmt.Fprintln(&b, " ", s)
	}
	return b.String()
}
