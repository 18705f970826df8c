package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"samespace-exporter/internal/status"
)

// front is the daemon's http server. What it shows, and where, may change while it serves.
type front struct {
	failed chan error // why it serves no more, at most once for each address

	mu    sync.RWMutex
	shown *shown

	// Known to the daemon's own goroutine only.

	address string // as it was asked for; "": none
	at      net.Addr
	stop    func() // ends the serving at the address
}

// shown is a handler and the answers under way.
type shown struct {
	http.Handler
	answering sync.WaitGroup
}

func newFront() *front {
	return &front{failed: make(chan error, 1), shown: &shown{Handler: http.NotFoundHandler()}, stop: func() {}}
}

// show shows another handler. The returned func waits for the answers of the one before.
func (f *front) show(h http.Handler) (answered func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.shown
	f.shown = &shown{Handler: h}
	return before.answering.Wait
}

// ServeHTTP has the handler answer that is shown.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.RLock()
	now := f.shown
	now.answering.Add(1)
	f.mu.RUnlock()
	defer now.answering.Done()
	now.ServeHTTP(w, r)
}

// move serves at an address, if it is another one; "" is none. When it cannot, it stays where it is.
func (f *front) move(address string) (moved bool, err error) {
	if address == f.address {
		return false, nil
	}
	old, at := f.address, f.at
	if samePort(at, address) {
		f.close() // the new one can only be had when the old one is free
	}
	listener, err := listen(address)
	if err != nil {
		err = fmt.Errorf("%w; choose another http.listen", err)
		if f.address != old {
			err = errors.Join(err, f.back(old, at))
		}
		return false, err
	}
	f.close()
	f.serve(address, listener)
	return true, nil
}

// back serves at an address again that was given up.
func (f *front) back(address string, at net.Addr) error {
	listener, err := listen(at.String())
	if err != nil {
		return err
	}
	f.serve(address, listener)
	return nil
}

// samePort reports whether two addresses may stand in each other's way, as 127.0.0.1:8080 and :8080 do.
func samePort(at net.Addr, address string) bool {
	tcp, ok := at.(*net.TCPAddr)
	if !ok {
		return false
	}
	_, port, err := net.SplitHostPort(address)
	return err == nil && port == strconv.Itoa(tcp.Port)
}

// listen opens a port; nil for none.
func listen(address string) (net.Listener, error) {
	if address == "" {
		return nil, nil //nolint:nilnil // http is off
	}
	return net.Listen("tcp", address)
}

// addr is where it serves; nil: nowhere.
func (f *front) addr() net.Addr { return f.at }

func (f *front) serve(address string, listener net.Listener) {
	f.address = address
	if listener == nil {
		return
	}
	f.at = listener.Addr()
	server := &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			select {
			case f.failed <- fmt.Errorf("serve http: %w", err):
			default:
			}
		}
	})
	f.stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			_ = server.Close() // answers that take longer are cut off
		}
		serving.Wait()
	}
}

// close lets the answers under way end, and serves no more.
func (f *front) close() {
	f.stop()
	f.address, f.at, f.stop = "", nil, func() {}
}

// handler is what an App serves.
func (a *App) handler() http.Handler {
	o := a.shown()
	o.Registry, o.Here = a.Counters.registry, a.health.of
	return status.New(o)
}

// shown is what a status of the App's datasets says, in any process.
func (a *App) shown() status.Options {
	return status.Options{
		Warehouse: a.warehouse, Clock: a.Clock.Now, Version: a.Version, Next: a.next, DueSince: a.dueSince, LastReread: a.lastReread, Begins: a.begins,
		Configured: func(dataset string) bool { return a.exporter(dataset) != nil },
	}
}

// begins is since when a dataset is read; the zero time for a rolling range, or one that is not in the config.
func (a *App) begins(dataset string) time.Time {
	if e := a.exporter(dataset); e != nil {
		return e.Dataset.Since
	}
	return time.Time{}
}

// lastReread is how long after its end a dataset's window is read for the last time; zero for one that has none, or is
// not in the config.
func (a *App) lastReread(dataset string) time.Duration {
	if e := a.exporter(dataset); e != nil {
		return e.Dataset.LastReread()
	}
	return 0
}
