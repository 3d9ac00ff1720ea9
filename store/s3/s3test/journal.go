package s3test

import "slices"

// Journal is a copy of all calls so far, in the order in which they came.
func (p *Proxy) Journal() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Call, len(p.journal))
	for i, c := range p.journal {
		all[i] = *c
	}
	return all
}

// Forget empties the journal.
func (p *Proxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.journal = nil
}

// Count tells how many calls of an operation there were that the server
// answered with success.
func (p *Proxy) Count(op Op) (n int) {
	for _, c := range p.Journal() {
		if c.Op == op && c.Server/100 == 2 {
			n++
		}
	}
	return n
}

// Struck are the faults that the journal has, each with the operation, for the
// log of a test.
func (p *Proxy) Struck() map[string]int {
	all := map[string]int{}
	for _, c := range p.Journal() {
		if c.Fault != None {
			all[string(c.Op)+": "+string(c.Fault)]++
		}
	}
	return all
}

// Pending are the operations that have not ended, sorted.
func (p *Proxy) Pending() (ops []Op) {
	for _, c := range p.Journal() {
		if !c.Over {
			ops = append(ops, c.Op)
		}
	}
	slices.Sort(ops)
	return ops
}
