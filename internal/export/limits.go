package export

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

const (
	// firstLimit is how long a limit is kept that was met for the first time: a fault that passed must not slow a
	// dataset down for long. One that is met again after it had run out is kept twice as long, up to sink.LongestLimit.
	firstLimit = 24 * time.Hour
	// shortest is a stretch that no limit of the range forbids: no API refuses that for its length.
	shortest = time.Minute
)

// limits is what the API was seen to refuse of a dataset, so that it is not asked for again: pages too far behind
// others, and ranges too long. What it refuses is suspected to be a limit at once, and known to be one when all of the
// stretch that it refused was read in smaller pieces: else it may be that some row or some hour is at fault.
type limits struct {
	mu sync.Mutex // several spans are read at once
	knowledge
	longest int64 // seconds: the longest range that was read since one was refused
}

// know takes what the warehouse has for known.
func (l *limits) know(k knowledge) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.knowledge = k
}

// caps are what is asked for at most by all that is known.
func (l *limits) caps(now time.Time) caps {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := uncapped()
	for _, limit := range l.holding(now) {
		c = c.and(limit.caps)
	}
	return c
}

// pageSize is how many rows are asked for in a page.
func (l *limits) pageSize(d Dataset) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.contract.pageSize(d)
}

// beyondError says that a stretch is not asked for, since its range is longer than what the API takes.
type beyondError struct{ most time.Duration }

func (e *beyondError) Error() string {
	return fmt.Sprintf("the API was seen to refuse ranges longer than %s", e.most)
}

// recall reads what is known of the dataset's source: other replicas learn too, and an operator may have made the
// exporter forget.
func (p *passage) recall(ctx context.Context) error {
	condition, err := p.Warehouse.Condition(ctx, p.Dataset.Name)
	if err != nil {
		return err
	}
	p.trouble = condition.Trouble
	known, err := knowledgeOf(condition)
	p.lasting.limits.know(known)
	if err != nil { // it is only not heeded
		p.Logger.Warn("what was measured of the API is not understood: measure it again by exporter check --contract", "dataset", p.Dataset.Name, "error", err)
	}
	return nil
}

// caps are what is asked for at most.
func (p *passage) caps() caps { return p.lasting.limits.caps(p.dueAt) }

// capsOfRest are what is asked for at most of the rest of the span: of what was suspected since it was begun, too.
func (s *span) capsOfRest() caps {
	c := s.caps()
	if s.suspected > 0 {
		c.skip = min(c.skip, int(s.suspected))
	}
	return c
}

// allowed fails for a stretch that is known to be refused, and may be read in pieces.
func (s *span) allowed(stretch window.Window) error {
	if s.Dataset.whole() {
		return nil
	}
	if most := s.capsOfRest().stretch(s.lead(stretch)); stretch.Duration() > most {
		return &beyondError{most: most}
	}
	return nil
}

// learned is a limit as it is from now on.
type learned struct {
	kind  sink.LimitKind
	limit sink.Limit
}

// heed takes note of what became of the reading of a stretch.
func (s *span) heed(ctx context.Context, stretch window.Window, r source.Reading, err error) {
	if s.Dataset.whole() {
		return // it is asked for as it is, whatever is known
	}
	s.remember(ctx, s.note(stretch, r, err))
}

func (s *span) note(stretch window.Window, r source.Reading, err error) (news []learned) {
	most := s.capsOfRest().maxRows(s.Dataset)
	l := &s.lasting.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	asked := stretch.Duration() + s.lead(stretch)
	seconds := int64(math.Ceil(asked.Seconds()))
	if refused := limited(err); refused != nil {
		if refused.Skip > 0 {
			s.suspected = s.deepestBefore(refused.Skip, most)
		} else if seconds <= l.longest {
			l.longest = 0
		}
		return nil
	}
	if err != nil {
		return nil
	}
	l.longest = max(l.longest, int64(asked.Seconds()))
	if seconds >= l.span.Refused && l.span.Met > 0 {
		news = append(news, s.forget(sink.LimitRange, &l.span))
	}
	if deepest := int64(r.Rows - r.LargestPage); deepest >= l.skip.Refused && l.skip.Met > 0 {
		news = append(news, s.forget(sink.LimitSkip, &l.skip))
	}
	return news
}

// limited is the error of a request that may have been refused for what it asked of the server, else nil.
func limited(err error) *source.Error {
	var request *source.Error
	if !errors.As(err, &request) || request.Overlong() {
		return nil
	}
	switch request.Class {
	case source.TooHeavy, source.Refused, source.Errored:
		return request
	}
	return nil
}

// deepestBefore is the largest skip that is taken to be answered, when one was refused: that of the page before. Of a probe,
// which has no page before it, half of its skip is.
func (s *span) deepestBefore(skip, most int) int64 {
	page := s.lasting.limits.contract.pageSize(s.Dataset) // the limits are locked
	if s.fit.uncertain && skip == most {
		return int64(max(skip/2, page))
	}
	return int64(max(skip-page, page))
}

// overcame learns from a stretch that could not be read whole, but in pieces.
func (s *span) overcame(ctx context.Context, stretch window.Window, why error) {
	if refused := limited(why); refused != nil {
		s.remember(ctx, s.learn(stretch, refused))
	}
}

func (s *span) learn(stretch window.Window, refused *source.Error) []learned {
	l := &s.lasting.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	if refused.Skip > 0 {
		if works := s.suspected; works > 0 && works < int64(refused.Skip) {
			return s.keep(sink.LimitSkip, &l.skip, works, int64(refused.Skip))
		}
		return nil
	}
	asked := int64(math.Ceil((stretch.Duration() + s.lead(stretch)).Seconds()))
	if l.longest > 0 && l.longest < asked {
		return s.keep(sink.LimitRange, &l.span, l.longest, asked)
	}
	return nil
}

// keep keeps a limit that was met, unless a narrower one is kept already.
func (s *span) keep(kind sink.LimitKind, known *sink.Limit, works, refused int64) []learned {
	if known.Holds(s.dueAt) && known.Refused <= refused {
		return nil
	}
	met := 1
	if !known.Holds(s.dueAt) && refused > known.Works {
		met = known.Met + 1
	}
	*known = sink.Limit{Works: works, Refused: refused, Met: met, Until: s.dueAt.Add(min(firstLimit<<min(met-1, 5), sink.LongestLimit))}
	s.Logger.Warn("the API refuses more than this, and is not asked for more until then", "dataset", s.Dataset.Name, "limit", string(kind),
		"works", works, "refused", refused, "until", known.Until)
	return []learned{{kind, *known}}
}

// forget forgets a limit that is none any more.
func (s *span) forget(kind sink.LimitKind, known *sink.Limit) learned {
	*known = sink.Limit{}
	s.Logger.Info("the API no longer refuses what it did", "dataset", s.Dataset.Name, "limit", string(kind))
	return learned{kind, *known}
}

// remember keeps limits for the other replicas and for later. What is not kept is only learned again. It must not be
// called under the limits' lock: a claim looks at them within its transaction, which the warehouse may have to wait for.
func (s *span) remember(ctx context.Context, news []learned) {
	for _, n := range news {
		if err := s.Warehouse.KeepLimit(ctx, s.Dataset.Name, n.kind, n.limit); err != nil {
			s.Logger.Warn("a limit of the API could not be kept", "dataset", s.Dataset.Name, "error", err)
		}
	}
}
