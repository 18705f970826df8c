package export

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"samespace-exporter/internal/source"
)

// Rows that were given back are gone, and what is known of the last row is of the one that is the last one now: a newer
// version takes its place, and no other's.
func TestRowsThatAreGivenBack(t *testing.T) {
	e, _, _ := restlessExporter(t)
	text := func(id, second int, nul string) string {
		return fmt.Sprintf(`{"id":"c%03d%s","at":%q}`, id, nul, restlessStart.Add(time.Duration(second)*time.Second).Format(time.RFC3339))
	}
	const nul = `\u0000`
	take := newTaking(e, wanted{stretch: restlessStretch(), nearer: true}, restlessStretch())
	page := []string{text(0, 1, ""), text(1, 2, nul), text(2, 3, nul), text(3, 4, nul), text(4, 4, nul)}
	if err := take.Take(page, false); err != nil {
		t.Fatal(err)
	}
	end, behind, ok := take.Back()
	if !ok || behind != 2 || !end.Equal(restlessStart.Add(4*time.Second)) {
		t.Fatalf("%d rows behind %s were given back, %t", behind, end, ok)
	}
	if len(take.rows) != 3 || take.replaced != 2 {
		t.Errorf("%d rows are left with %d NULs, want 3 with 2", len(take.rows), take.replaced)
	}
	if err := take.Take([]string{text(2, 3, "new")}, true); err != nil {
		t.Fatal(err)
	}
	if len(take.rows) != 3 || take.replaced != 1 || take.rows[2].Values[0].Str() != "c002new" {
		t.Errorf("after a newer version of the last row: %d rows with %d NULs, the last one %q", len(take.rows), take.replaced, take.rows[len(take.rows)-1].Values[0].Str())
	}
}

// Ends are drawn no more once they tore three times in a row. A reading that failed otherwise says nothing of that.
func TestTearsBehindADrawnEnd(t *testing.T) {
	torn, away := &source.TornError{}, errors.New("the API is away")
	for name, c := range map[string]struct {
		became []error
		draws  bool
	}{
		"three tears":            {[]error{torn, torn, torn}, false},
		"one that fitted":        {[]error{torn, torn, nil, torn, torn}, true},
		"failures in between":    {[]error{torn, away, torn, away, torn}, false},
		"failures only":          {[]error{away, away, away, away}, true},
		"too late to fit again":  {[]error{torn, torn, torn, nil}, false},
		"disorder is a tear too": {[]error{torn, &disorderError{}, torn}, false},
	} {
		var s server
		for _, err := range c.became {
			s.learn(source.Reading{}, true, err, false)
		}
		if s.draws() != c.draws {
			t.Errorf("%s: draws is %t", name, s.draws())
		}
	}
}
