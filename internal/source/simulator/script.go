package simulator

import (
	"slices"
	"sync"
)

// Trigger says to which requests a rule applies. The zero Trigger applies to none.
type Trigger struct {
	where []func(Request) bool
	fires func(n int) bool // n counts from 1 the requests that all of where let through
}

// Always applies to every request.
func Always() Trigger { return Trigger{fires: func(int) bool { return true }} }

// On applies to the n-th requests that the rule sees, from 1 on: On(1) to the next one, On(1, 2) to the next
// two.
func On(n ...int) Trigger {
	return Trigger{fires: func(i int) bool { return slices.Contains(n, i) }}
}

// Every applies to each n-th request that the rule sees.
func Every(n int) Trigger { return Trigger{fires: func(i int) bool { return i%n == 0 }} }

// When applies to the requests for which f is true.
func When(f func(Request) bool) Trigger { return Always().Where(f) }

// Where makes the trigger see only the requests for which f is true: On(2).Where(f) applies to the second of
// them.
func (t Trigger) Where(f func(Request) bool) Trigger {
	t.where = append(slices.Clip(t.where), f)
	return t
}

// sees reports whether the request counts for the trigger.
func (t Trigger) sees(r Request) bool {
	for _, f := range t.where {
		if !f(r) {
			return false
		}
	}
	return t.fires != nil
}

// script is the rules of a simulator.
type script struct {
	mu    sync.Mutex
	rules []*rule
}

type rule struct {
	trigger Trigger
	faults  []Fault
	seen    int
}

// Script adds a rule: the faults befall the requests that the trigger applies to, from now on. The rules of a
// script add up, in their order. Where several faults answer in the place of the API, the last one does.
func (s *Simulator) Script(t Trigger, faults ...Fault) {
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	s.script.rules = append(s.script.rules, &rule{trigger: t, faults: faults})
}

// Unscript takes all rules away.
func (s *Simulator) Unscript() {
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	s.script.rules = nil
}

// faults are what befalls the request.
func (s *script) faults(r Request) (faults []Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rule := range s.rules {
		if !rule.trigger.sees(r) {
			continue
		}
		rule.seen++
		if rule.trigger.fires(rule.seen) {
			faults = append(faults, rule.faults...)
		}
	}
	return faults
}
