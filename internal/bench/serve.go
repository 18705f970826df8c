package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// serve is the API in a process of its own: it sends rows that were rendered before, straight from the file.
// The path of the endpoint is /VARIANT/DELAY: which file, and how long each reply waits.
func serve(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench serve", flag.ContinueOnError)
	dir := flags.String("dir", "", "directory of the rendered rows")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pages, err := openPages(*dir)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{variant}/{delay}", pages.reply)
	mux.HandleFunc("GET /traffic", pages.traffic)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "http://%s\n", listener.Addr())
	var group errgroup.Group
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	<-ctx.Done()
	return errors.Join(server.Close(), group.Wait())
}

// pages are the rendered rows, and what was asked of them.
type pages struct {
	files   map[string]*os.File
	offsets []byte

	counting sync.Mutex
	requests int
	first    time.Time
}

// count counts a request.
func (p *pages) count() {
	p.counting.Lock()
	defer p.counting.Unlock()
	if p.requests == 0 {
		p.first = time.Now()
	}
	p.requests++
}

// traffic sends how many requests there were since it was asked for last, and when the first one came, in microseconds.
func (p *pages) traffic(w http.ResponseWriter, _ *http.Request) {
	p.counting.Lock()
	defer p.counting.Unlock()
	fmt.Fprintln(w, p.requests, p.first.UnixMicro())
	p.requests = 0
}

func openPages(dir string) (*pages, error) {
	p := &pages{files: map[string]*os.File{}}
	var err error
	if p.offsets, err = os.ReadFile(filepath.Join(dir, "offsets")); err != nil {
		return nil, err
	}
	for _, variant := range []string{"plain", "changed"} {
		if p.files[variant], err = os.Open(filepath.Join(dir, variant+".json")); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// rows is how many there are.
func (p *pages) rows() int { return len(p.offsets)/8 - 1 }

func (p *pages) offset(row int) int64 { return int64(binary.LittleEndian.Uint64(p.offsets[8*row:])) }

// request is what of a GraphQL request says which rows are wanted. The order is by time, whatever is asked for.
type request struct {
	Variables struct {
		StartTime, EndTime time.Time
		Skip, Limit        int
	}
}

// reply sends a page. The file goes to the socket without a copy through this process.
func (p *pages) reply(w http.ResponseWriter, r *http.Request) {
	p.count()
	delay, err := time.ParseDuration(r.PathValue("delay"))
	var asked request
	if err == nil {
		err = json.NewDecoder(r.Body).Decode(&asked)
	}
	file := p.files[r.PathValue("variant")]
	if err != nil || file == nil {
		http.Error(w, "not a request for a page", http.StatusBadRequest)
		return
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			return
		}
	}
	v := asked.Variables
	first, end := p.rowFrom(v.StartTime), p.rowFrom(v.EndTime)
	first = min(first+v.Skip, end)
	end = min(end, first+v.Limit)
	from, to := p.offset(first), p.offset(end)
	if first > 0 && first < end {
		from++ // the comma before it
	}
	const head, foot = `{"data":{"getReportData":{"data":[`, `]}}}`
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.FormatInt(int64(len(head)+len(foot))+to-from, 10))
	_, _ = io.WriteString(w, head)
	section, err := os.Open(file.Name()) // a file has one position: each reply needs its own
	if err != nil {
		return
	}
	defer func() { _ = section.Close() }()
	if _, err := section.Seek(from, io.SeekStart); err != nil {
		return
	}
	_, _ = io.Copy(w, io.LimitReader(section, to-from))
	_, _ = io.WriteString(w, foot)
}

// rowFrom is the first row at or after a time.
func (p *pages) rowFrom(t time.Time) int {
	n := int(t.Sub(firstCall()) / step)
	n = max(0, min(n, p.rows()))
	for n < p.rows() && startOf(n).Before(t) {
		n++
	}
	for n > 0 && !startOf(n-1).Before(t) {
		n--
	}
	return n
}
