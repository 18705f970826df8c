package schema

import "strings"

const (
	// chunkValues is how many values are made at once.
	chunkValues = 4096
	// chunkText is how many bytes of text are made at once; a longer text than a part of that has memory of its own.
	chunkText = 32 << 10
	// maxExpected is how many ids of a row are remembered for the next one.
	maxExpected = 256
)

// Chunk is memory for rows that are kept together: with it a row costs hardly an allocation of its own, and its
// text is not that of the page, of which it is a small part. The zero Chunk is ready. It is for one goroutine.
type Chunk struct {
	values []Value
	text   strings.Builder
	names  []chunkName // of the row before, by place
}

// chunkName is a name as it was written, and its slot.
type chunkName struct {
	text string
	slot int
}

// row is room for a row of n values, all NULL.
func (c *Chunk) row(n int) []Value {
	if cap(c.values)-len(c.values) < n {
		c.values = make([]Value, 0, max(chunkValues/max(n, 1)*n, n))
	}
	first := len(c.values)
	c.values = c.values[:first+n]
	return c.values[first : first+n : first+n]
}

// giveBack takes the room of the row that was made last.
func (c *Chunk) giveBack(n int) {
	first := len(c.values) - n
	clear(c.values[first:])
	c.values = c.values[:first]
}

// keep is a copy of a text.
func (c *Chunk) keep(s string) string {
	if len(s) > chunkText/8 {
		return strings.Clone(s)
	}
	if c.text.Cap()-c.text.Len() < len(s) {
		c.text = strings.Builder{}
		c.text.Grow(chunkText)
	}
	from := c.text.Len()
	c.text.WriteString(s)
	return c.text.String()[from:]
}

// keepBytes is keep of a text that is in a buffer.
func (c *Chunk) keepBytes(b []byte) string {
	if len(b) > chunkText/8 {
		return string(b)
	}
	if c.text.Cap()-c.text.Len() < len(b) {
		c.text = strings.Builder{}
		c.text.Grow(chunkText)
	}
	from := c.text.Len()
	c.text.Write(b)
	return c.text.String()[from:]
}
