// Package netfault stands in the middle of TCP connections and lets them down. Only tests import it.
package netfault

import (
	"fmt"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Fault is a way in which a net lets down all connections through it, those that are open and those to come. The
// zero Fault lets bytes pass.
type Fault struct {
	ends  bool // connections that are open and to come
	reset bool
	hold  bool
	delay time.Duration
	size  int // bytes that pass at once; 0: as many as came
}

// Pass lets bytes pass.
func Pass() Fault { return Fault{} }

// Cut closes connections properly (FIN), new ones as soon as they are accepted.
func Cut() Fault { return Fault{ends: true} }

// Reset ends connections with RST, new ones as soon as they are accepted.
func Reset() Fault { return Fault{ends: true, reset: true} }

// BlackHole accepts connections and bytes, and passes nothing on. What was under way arrives when the fault ends, as
// TCP would send it again.
func BlackHole() Fault { return Fault{hold: true} }

// Latency passes bytes on after a delay.
func Latency(d time.Duration) Fault { return Fault{delay: d} }

// Drip passes so many bytes at once, with a delay before each.
func Drip(size int, every time.Duration) Fault { return Fault{size: size, delay: every} }

// Side is who sent bytes.
type Side int

// The sides of a connection.
const (
	Client Side = iota // whoever connected to the proxy
	Target
)

// Proxy passes connections to a target, and lets them down when told to.
type Proxy struct {
	listener net.Listener
	target   string
	serving  sync.WaitGroup

	mu      sync.Mutex
	fault   Fault
	changed chan struct{} // closed when fault changes
	links   map[*link]struct{}
	alarms  [2]alarm // by side, counting chunks
	marks   [2]alarm // by side, counting bytes
	closed  bool
}

// alarm calls somebody once a count is done.
type alarm struct {
	left int
	call func()
}

// link is a connection from a client and the one to the target that belongs to it.
type link struct {
	client, target *net.TCPConn
	done           chan struct{} // closed when it ends
	end            func(reset bool)
	lost           bool // passes nothing any more: see Abandon
}

// New makes a proxy before a TCP address. It and all connections end with the test.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: listener, target: target, changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.serving.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Before makes a proxy before the host of a URL, and returns the URL that leads through it.
func Before(t testing.TB, address string) (p *Proxy, through string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(fmt.Errorf("stand before an address: %w", err))
	}
	p = New(t, u.Host)
	u.Host = p.Addr()
	return p, u.String()
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set makes a fault begin, in place of the one before.
func (p *Proxy) Set(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
	close(p.changed)
	p.changed = make(chan struct{})
	if f.ends {
		for l := range p.links {
			l.end(f.reset)
		}
	}
}

// Abandon lets the open connections pass nothing any more, for ever, as when a peer loses power or a firewall forgets
// them: neither side is told. New connections are sound.
func (p *Proxy) Abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.lost = true
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// On calls do once, before the nth chunk of bytes from a side, from now on, is passed; a fault that do sets befalls
// that chunk. (A chunk is what one read returns: mostly one message.)
func (p *Proxy) On(side Side, n int, do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alarms[side] = alarm{left: n, call: do}
}

// After calls do once, when n more bytes from a side have passed, be that in the middle of a chunk.
func (p *Proxy) After(side Side, n int, do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.marks[side] = alarm{left: n, call: do}
}

// Open is how many connections are open.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve carries one connection until either side ends it.
func (p *Proxy) serve(client *net.TCPConn) {
	defer client.Close()
	backend, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer backend.Close()
	l := &link{client: client, target: backend.(*net.TCPConn), done: make(chan struct{})}
	var once sync.Once
	l.end = func(reset bool) {
		once.Do(func() {
			if reset {
				_ = l.client.SetLinger(0)
				_ = l.target.SetLinger(0)
			}
			_ = l.client.Close()
			_ = l.target.Close()
			close(l.done)
		})
	}
	if !p.enter(l) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { p.pump(l, Target, l.target, l.client) })
	p.pump(l, Client, l.client, l.target)
	back.Wait()
	p.leave(l)
}

func (p *Proxy) enter(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault.ends || p.closed {
		l.end(p.fault.reset)
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) leave(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// pump passes on what a side sends until the connection ends.
func (p *Proxy) pump(l *link, side Side, from, to *net.TCPConn) {
	defer l.end(false)
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			p.ring(side)
		}
		for chunk := buffer[:n]; len(chunk) > 0; {
			size, ok := p.await(l, p.upToMark(side, len(chunk)))
			if !ok {
				return
			}
			if _, err := to.Write(chunk[:size]); err != nil {
				return
			}
			chunk = chunk[size:]
			p.pass(side, size)
		}
		if err != nil {
			_, _ = p.await(l, 0) // an end, too, is lost in a black hole
			return
		}
	}
}

// ring counts a chunk, and calls whoever waits for it.
func (p *Proxy) ring(side Side) { p.count(&p.alarms[side], 1) }

// pass counts bytes that have passed, and calls whoever waits for them.
func (p *Proxy) pass(side Side, n int) { p.count(&p.marks[side], n) }

func (p *Proxy) count(a *alarm, n int) {
	p.mu.Lock()
	var call func()
	if a.left -= n; a.left <= 0 {
		call, a.call = a.call, nil
	}
	p.mu.Unlock()
	if call != nil {
		call()
	}
}

// upToMark is how many of the bytes may pass before somebody is to be called.
func (p *Proxy) upToMark(side Side, size int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if mark := p.marks[side]; mark.call != nil {
		return min(size, mark.left)
	}
	return size
}

// await returns how many bytes of a chunk may pass now, once they may; false when the connection has ended.
func (p *Proxy) await(l *link, size int) (int, bool) {
	waited := false
	for {
		f, lost, changed := p.current(l)
		switch {
		case lost || f.hold || f.ends: // what ends is being ended
			select {
			case <-changed:
			case <-l.done:
				return 0, false
			}
			waited = false
			continue
		case f.delay > 0 && !waited:
			timer := time.NewTimer(f.delay)
			select {
			case <-timer.C:
				waited = true
			case <-changed:
			case <-l.done:
				waited = true // below it is seen to have ended
			}
			timer.Stop()
			continue
		case f.size > 0:
			size = min(size, f.size)
		}
		select {
		case <-l.done:
			return 0, false
		default:
			return size, true
		}
	}
}

func (p *Proxy) current(l *link) (f Fault, lost bool, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault, l.lost, p.changed
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for l := range p.links {
		l.end(false)
	}
	p.mu.Unlock()
	p.serving.Wait()
}
