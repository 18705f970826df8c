package export

import (
	"math"
	"sync"

	"samespace-exporter/internal/source"
)

const (
	// trusted is how many readings of several pages must have proved their end before a short page is taken
	// for the last one.
	trusted = 3
	// maxNearerTears is how many pages in a row may not fit behind an end that was drawn nearer, before that is
	// given up: such a server orders its rows in some way that depends on the range.
	maxNearerTears = 3
)

// server is what was seen of how the server answers this dataset's queries, as long as the process lives. It may be
// used by several goroutines.
type server struct {
	mu sync.Mutex
	// largestPage is the most rows that it sent in a page.
	largestPage int
	// proofs counts the readings that proved their end beyond a short last page; see trusted.
	proofs int
	// nearerTears counts the pages in a row that did not fit behind an end that was drawn nearer.
	nearerTears int
	// strays is set once a row had no time, or one outside of what was asked for: then the API's ranges are about
	// something else, and an end is not drawn by the rows' time.
	strays bool
	// mapped is set once a row fitted the mapping.
	mapped bool
}

// ask fills in what a query says of the server.
func (s *server) ask(q *source.Query) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.Prove = s.proofs < trusted
	q.Filled = s.largestPage >= q.PageSize
	q.Nearer = q.Nearer && s.drawsLocked()
	if s.proofs < 0 { // its pages are not full: where the next ones begin cannot be told
		q.Ahead = 0
	}
}

// learn keeps how large a page the server sends, and whether its short pages are the last ones. A server that was
// seen to send more behind one is not trusted again as long as the process lives. nearer says that an end was drawn, and
// err how the reading ended: of the server's order only one that fitted, or tore, tells anything.
func (s *server) learn(reading source.Reading, nearer bool, err error, strays bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strays = s.strays || strays
	s.largestPage = max(s.largestPage, reading.LargestPage)
	switch {
	case reading.Short:
		s.proofs = math.MinInt
	case reading.Proved:
		s.proofs++
	}
	switch {
	case nearer && moved(err):
		s.nearerTears++
	case nearer && err == nil && s.nearerTears < maxNearerTears:
		s.nearerTears = 0
	}
}

// draws reports whether the end of a range may be drawn by the rows' time.
func (s *server) draws() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drawsLocked()
}

func (s *server) drawsLocked() bool { return !s.strays && s.nearerTears < maxNearerTears }

// strayed reports whether a row had no time, or one outside of what was asked for.
func (s *server) strayed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.strays
}

func (s *server) page() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.largestPage
}

// sawFit notes that a row fitted the mapping.
func (s *server) sawFit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mapped = true
}

// everFitted reports whether any row fitted the mapping.
func (s *server) everFitted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mapped
}
