package netfault_test

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"samespace-exporter/internal/netfault"
)

const (
	soon = 30 * time.Millisecond // long enough for bytes that pass to arrive
	late = 10 * time.Second
)

// echo sends back what it gets.
func echo(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return listener.Addr().String()
}

func dial(t *testing.T, p *netfault.Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// hear returns what comes back within a time.
func hear(conn net.Conn, size int, patience time.Duration) (string, error) {
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	heard := make([]byte, size)
	n, err := io.ReadFull(conn, heard)
	return string(heard[:n]), err
}

func mustEcho(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if got, err := hear(conn, len(text), late); got != text {
		t.Fatalf("heard %q, %v; said %q", got, err, text)
	}
}

func TestBlackHoleGivesBackWhatWasUnderWay(t *testing.T) {
	p := netfault.New(t, echo(t))
	conn := dial(t, p)
	mustEcho(t, conn, "before")
	p.Set(netfault.BlackHole())
	if _, err := conn.Write([]byte("within")); err != nil {
		t.Fatal(err)
	}
	if got, err := hear(conn, 6, soon); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("heard %q, %v", got, err)
	}
	p.Set(netfault.Pass())
	if got, err := hear(conn, 6, late); got != "within" {
		t.Errorf("heard %q, %v", got, err)
	}
	mustEcho(t, conn, "after")
}

func TestCutAndResetEndAllConnections(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault netfault.Fault
		is    error
	}{{"cut", netfault.Cut(), io.EOF}, {"reset", netfault.Reset(), syscall.ECONNRESET}} {
		t.Run(c.name, func(t *testing.T) {
			p := netfault.New(t, echo(t))
			open := dial(t, p)
			mustEcho(t, open, "before")
			p.Set(c.fault)
			if got, err := hear(open, 1, late); !errors.Is(err, c.is) {
				t.Errorf("heard %q, %v", got, err)
			}
			if another, err := net.Dial("tcp", p.Addr()); err == nil { // else it was ended even sooner
				if got, err := hear(another, 1, late); !errors.Is(err, c.is) {
					t.Errorf("another heard %q, %v", got, err)
				}
			}
			p.Set(netfault.Pass())
			mustEcho(t, dial(t, p), "after")
		})
	}
}

func TestAbandonedConnectionsStaySilent(t *testing.T) {
	p := netfault.New(t, echo(t))
	lost := dial(t, p)
	mustEcho(t, lost, "before")
	p.Abandon()
	if _, err := lost.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	mustEcho(t, dial(t, p), "another")
	if got, err := hear(lost, 1, soon); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("heard %q, %v", got, err)
	}
	if n := p.Open(); n != 2 {
		t.Errorf("%d connections are open", n)
	}
}

func TestSlowness(t *testing.T) {
	p := netfault.New(t, echo(t))
	conn := dial(t, p)
	p.Set(netfault.Latency(soon))
	began := time.Now()
	mustEcho(t, conn, "there and back")
	if took := time.Since(began); took < 2*soon {
		t.Errorf("there and back took %s", took)
	}
	p.Set(netfault.Drip(1, soon/10))
	began = time.Now()
	mustEcho(t, conn, "0123456789")
	if took := time.Since(began); took < soon {
		t.Errorf("ten bytes took %s", took)
	}
}

func TestAlarm(t *testing.T) {
	p := netfault.New(t, echo(t))
	conn := dial(t, p)
	p.On(netfault.Client, 2, func() { p.Set(netfault.Cut()) })
	mustEcho(t, conn, "first")
	if _, err := conn.Write([]byte("second")); err != nil {
		t.Fatal(err)
	}
	if got, err := hear(conn, 1, late); !errors.Is(err, io.EOF) {
		t.Errorf("heard %q, %v", got, err)
	}
}

func TestMarkWithinAChunk(t *testing.T) {
	p := netfault.New(t, echo(t))
	conn := dial(t, p)
	p.After(netfault.Target, 3, func() { p.Set(netfault.BlackHole()) })
	if _, err := conn.Write([]byte("123456")); err != nil {
		t.Fatal(err)
	}
	if got, err := hear(conn, 6, soon); got != "123" {
		t.Errorf("heard %q, %v", got, err)
	}
	p.Set(netfault.Pass())
	if got, err := hear(conn, 3, late); got != "456" {
		t.Errorf("then heard %q, %v", got, err)
	}
}
