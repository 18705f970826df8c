package export

import (
	"sync"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// memory is what the rows of a part lie in, and what is known of them while they are read. Once they are committed, those of
// another part of the pass do.
type memory struct {
	chunk schema.Chunk
	rows  []sink.Row
	keys  []seenKey
}

// reset makes room for other rows: nobody uses those that lie there any more.
func (m *memory) reset() {
	m.chunk.Reset()
	clear(m.rows[:cap(m.rows)])
}

// spare is memory that lies idle: that of the part that was committed last, for the next one to be read. More than one lies
// idle only where two commits end at once, and is left to the garbage collector.
type spare struct {
	mu   sync.Mutex
	idle *memory
}

// take is memory for the rows of a part. That of a part that is not committed is not given back.
func (s *spare) take() *memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.idle
	s.idle = nil
	if taken == nil {
		return &memory{}
	}
	return taken
}

// giveBack takes the memory of rows that nobody uses any more; nil is none.
func (s *spare) giveBack(idle *memory) {
	if idle == nil {
		return
	}
	idle.reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = idle
}
