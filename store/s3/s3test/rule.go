package s3test

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Rule says which calls of a Proxy go wrong, and how. It is built by On and
// becomes active by Do:
//
//	proxy.On(s3test.UploadPart).Part(2).Always().Do(s3test.ServerError)
type Rule struct {
	p     *Proxy
	ops   []Op
	match []func(Call) bool
	skip  int // calls that match and pass before the first that does not
	times int // calls that go wrong; below 0 all
	fault Fault
	hits  int
}

// On begins a rule for the operations, or for all where none is named. It
// strikes the next call that matches, unless more is said.
func (p *Proxy) On(ops ...Op) *Rule { return &Rule{p: p, ops: ops, times: 1} }

// Nth lets n-1 calls that match pass first; n is at least 1.
func (r *Rule) Nth(n int) *Rule { r.skip = n - 1; return r }

// Times strikes so many calls.
func (r *Rule) Times(n int) *Rule { r.times = n; return r }

// Always strikes until Calm or End.
func (r *Rule) Always() *Rule { r.times = -1; return r }

// Part limits the rule to parts of one number.
func (r *Rule) Part(n int) *Rule { return r.Where(func(c Call) bool { return c.Part == n }) }

// Where limits the rule to calls of which f is true. It must not call the
// proxy.
func (r *Rule) Where(f func(Call) bool) *Rule { r.match = append(r.match, f); return r }

// Do makes the rule active. Of several rules the oldest that matches a call
// strikes.
func (r *Rule) Do(f Fault) *Rule {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	r.fault = f
	r.p.rules = append(r.p.rules, r)
	return r
}

// Hits tells how many calls the rule has struck.
func (r *Rule) Hits() int {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	return r.hits
}

// End takes the rule back.
func (r *Rule) End() {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	r.p.rules = slices.DeleteFunc(r.p.rules, func(other *Rule) bool { return other == r })
}

// strike tells whether the rule wants a call to go wrong, and counts it.
func (r *Rule) strike(c Call) bool {
	if r.times == 0 || len(r.ops) > 0 && !slices.Contains(r.ops, c.Op) {
		return false
	}
	for _, f := range r.match {
		if !f(c) {
			return false
		}
	}
	if r.skip > 0 {
		r.skip--
		return false
	}
	if r.times > 0 {
		r.times--
	}
	r.hits++
	return true
}

// storm makes calls go wrong by chance.
type storm struct {
	rng    *rand.Rand
	ops    []Op
	rate   float64
	faults []Fault
}

// patience is how long a call hangs in a storm, unless its client gives up
// before: a test cannot wait for every timeout.
const patience = 300 * time.Millisecond

// Random makes calls go wrong with the probability rate, 0 to 1, in one of the
// ways given, or of Passing. The same seed chooses the same for the same
// sequence of calls; where calls are concurrent their order is not ours. A
// hang ends as a reset after 300 ms. It replaces an earlier Random.
func (p *Proxy) Random(seed uint64, rate float64, faults ...Fault) {
	p.RandomOn(Ops(), seed, rate, faults...)
}

// RandomOn is Random for some operations only.
func (p *Proxy) RandomOn(ops []Op, seed uint64, rate float64, faults ...Fault) {
	if len(faults) == 0 {
		faults = Passing()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.storm = &storm{rand.New(rand.NewPCG(seed, 3)), ops, rate, faults}
}

// choose tells what to make of a call, and for how long it may hang.
func (p *Proxy) choose(c Call) (Fault, time.Duration) {
	for _, r := range p.rules {
		if r.strike(c) {
			return r.fault, time.Hour
		}
	}
	if s := p.storm; s != nil && slices.Contains(s.ops, c.Op) {
		// Both are drawn for every call, so that the sequence stays the same.
		hit, f := s.rng.Float64() < s.rate, s.faults[s.rng.IntN(len(s.faults))]
		if hit && f.suits(c.Op) {
			return f, patience
		}
	}
	return None, 0
}
