package source

import (
	"fmt"
	"time"
)

// Change is a property of a contract that is otherwise than it was measured before.
type Change struct {
	Property string `json:"property"`
	Was      string `json:"was"`
	Is       string `json:"is"`
}

// Changes are what is otherwise than it was measured before. What could not be told either time is no change, nor is how
// long pages take.
func (c Contract) Changes(before Contract) (changes []Change) {
	is, was := c.properties(), before.properties()
	for i := range is {
		if is[i].text != "" && was[i].text != "" && is[i].text != was[i].text {
			changes = append(changes, Change{Property: is[i].name, Was: was[i].text, Is: is[i].text})
		}
	}
	return changes
}

// property is what a contract says of something, as text; "": it could not be told.
type property struct{ name, text string }

func (c Contract) properties() []property {
	return []property{
		{"largest page", c.largestPage()},
		{"default order", c.DefaultOrder},
		{"order of sorted rows", word(c.Sorted, "as asked for", "another one")},
		{"start of a range", word(c.StartInclusive, "inclusive", "exclusive")},
		{"end of a range", word(c.EndInclusive, "inclusive", "exclusive")},
		{"timezone", word(c.TimezoneMoves, "moves the range", "does not move the range")},
		{"timeRange beside times", word(c.TimesWin, "the times count", "the times do not count")},
		{"longest range", c.longestRange()},
		{"deepest page", c.deepestPage()},
	}
}

func word(a Answer, yes, no string) string {
	switch a {
	case Yes:
		return yes
	case No:
		return no
	}
	return ""
}

func (c Contract) largestPage() string {
	switch {
	case c.PageAsked == 0:
		return ""
	case c.LargestPage == 0:
		return fmt.Sprintf("at least %d rows", c.PageAsked)
	}
	return fmt.Sprintf("%d rows", c.LargestPage)
}

func (c Contract) longestRange() string {
	switch {
	case c.RefusedRange > 0:
		return fmt.Sprintf("%d days are refused, %d are not", days(c.RefusedRange), days(c.LongestRange))
	case c.LongestRange > 0:
		return fmt.Sprintf("%d days are answered", days(c.LongestRange))
	}
	return ""
}

// deepestPage is about refusals only: how deep pages can be asked for goes by how many rows there are.
func (c Contract) deepestPage() string {
	if len(c.Depths) == 0 {
		return ""
	}
	if last := c.Depths[len(c.Depths)-1]; last.Refused {
		return fmt.Sprintf("behind %d rows it is refused", last.Skip)
	}
	return "none was refused"
}

func days(d time.Duration) int { return int(d / day) }

// Or is the contract with what before has to say of what could not be told this time.
func (c Contract) Or(before Contract) Contract {
	if lifted := 0 < before.LargestPage && before.LargestPage < c.PageSent; c.PageAsked == 0 && !lifted {
		c.PageAsked, c.LargestPage = before.PageAsked, before.LargestPage
	}
	if c.DefaultOrder == "" {
		c.DefaultOrder = before.DefaultOrder
	}
	for to, from := range map[*Answer]Answer{
		&c.Sorted: before.Sorted, &c.StartInclusive: before.StartInclusive, &c.EndInclusive: before.EndInclusive,
		&c.TimezoneMoves: before.TimezoneMoves, &c.TimesWin: before.TimesWin,
	} {
		if *to == "" {
			*to = from
		}
	}
	if c.LongestRange == 0 && c.RefusedRange == 0 {
		c.LongestRange, c.RefusedRange = before.LongestRange, before.RefusedRange
	}
	if len(c.Depths) == 0 {
		c.Depths = before.Depths
	}
	return c
}

// PageLimit is the most rows that a page is to be asked for; 0: there is no limit that is known.
func (c Contract) PageLimit() int {
	if c.LargestPage < 2 { // pages overlap by a row
		return 0
	}
	return c.LargestPage
}

// RangeLimit is the longest range that is to be asked for; 0: there is no limit that is known.
func (c Contract) RangeLimit() time.Duration {
	if c.RefusedRange == 0 {
		return 0
	}
	return c.LongestRange
}
