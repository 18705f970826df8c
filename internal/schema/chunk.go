package schema

import "strings"

const (
	// chunkValues is how many values are made at once.
	chunkValues = 4096
	// chunkText is how many bytes of text are made at once; a longer text than a part of that has memory of its own.
	chunkText = 32 << 10
	// maxExpected is how many ids of a row are remembered for the next one, and maxLead with how many bytes each.
	maxExpected = 256
	maxLead     = 1 << 10
)

// Chunk is memory for rows that are kept together: with it a row costs hardly an allocation of its own, and its
// text is not that of the page, of which it is a small part. The zero Chunk is ready. It is for one goroutine, and
// for the rows of one Mapper until it is Reset.
type Chunk struct {
	values []Value
	full   [][]Value // blocks of values that were used up
	spare  [][]Value // blocks of values for rows to come, all NULL
	text   strings.Builder
	names  []chunkName // of the row before, by place
	before []keptText  // of the row before, by slot
}

// keptText is a text that a row has.
type keptText struct {
	text  string
	plain bool // it stood between its quotes as it is
}

// chunkName is an id, and what stands before its value: the comma, unless it is the first one, the name, the colon.
type chunkName struct {
	lead string
	id   string
	slot int
}

// Reset makes the chunk one for other rows, whose values take the place of those that lie in it: none of its rows may be
// used any more. (Their texts stay as they are.)
func (c *Chunk) Reset() {
	for _, block := range append(c.full, c.values) {
		if cap(block) > 0 {
			clear(block)
			c.spare = append(c.spare, block[:0])
		}
	}
	clear(c.full)
	*c = Chunk{full: c.full[:0], spare: c.spare}
}

// row is room for a row of n values, all NULL.
func (c *Chunk) row(n int) []Value {
	if cap(c.values)-len(c.values) < n {
		c.turn(n)
	}
	first := len(c.values)
	c.values = c.values[:first+n]
	return c.values[first : first+n : first+n]
}

// turn goes on to a block with room for a row of n values.
func (c *Chunk) turn(n int) {
	if cap(c.values) > 0 {
		c.full = append(c.full, c.values)
	}
	if last := len(c.spare) - 1; last >= 0 && cap(c.spare[last]) >= n {
		c.values, c.spare = c.spare[last], c.spare[:last]
		return
	}
	c.values = make([]Value, 0, max(chunkValues, n))
}

// giveBack takes the room of the row that was made last.
func (c *Chunk) giveBack(n int) {
	first := len(c.values) - n
	clear(c.values[first:])
	c.values = c.values[:first]
}

// keepAs is a copy of a text of a slot. What the row before had there is not copied again: many columns have few values.
func (c *Chunk) keepAs(slot int, s string, plain bool) string {
	if slot >= len(c.before) {
		c.before = append(c.before, make([]keptText, slot+1-len(c.before))...)
	}
	before := &c.before[slot]
	if s != before.text {
		before.text = c.keep(s)
	}
	before.plain = plain
	return before.text
}

// keep is a copy of a text.
func (c *Chunk) keep(s string) string {
	if len(s) > chunkText/8 {
		return strings.Clone(s)
	}
	from := c.makeRoom(len(s))
	c.text.WriteString(s)
	return c.text.String()[from:]
}

// keepBytes is keep of a text that is in a buffer.
func (c *Chunk) keepBytes(b []byte) string {
	if len(b) > chunkText/8 {
		return string(b)
	}
	from := c.makeRoom(len(b))
	c.text.Write(b)
	return c.text.String()[from:]
}

// makeRoom makes room for a text, and is where it will begin.
func (c *Chunk) makeRoom(size int) (from int) {
	if c.text.Cap()-c.text.Len() < size {
		c.text = strings.Builder{}
		c.text.Grow(chunkText)
	}
	return c.text.Len()
}
