package sink

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"samespace-exporter/internal/schema"
)

// Fingerprint tells one rejected row from another: the SHA-256 of the row as the API sent it, in hexadecimal.
func Fingerprint(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	return hex.EncodeToString(sum[:])
}

// Quarantined is a reject as the warehouse keeps it.
type Quarantined struct {
	Reject
	Fingerprint string
	FirstSeen   time.Time // when the API sent it first, by the database's clock
	LastSeen    time.Time // when the API sent it last
	Attempts    int       // times it did not fit, retries included
}

// Exact reports whether Raw is the row as the API sent it. Postgres keeps no text that is not UTF-8, nor any that is
// not JSON as such.
func (q Quarantined) Exact() bool { return Fingerprint(q.Raw) == q.Fingerprint }

// RejectsRequest asks for a page of a dataset's rejects. Those that were seen last come first, since of two versions
// of a row the later one is to be looked at before the earlier one.
type RejectsRequest struct {
	Dataset string
	Behind  *Quarantined // the last one of the page before; nil: from the first one on
	Limit   int
}

// Retry is rejects of a dataset that were mapped again.
type Retry struct {
	Dataset string
	// ConfigHash is what the caller prepared the dataset with: ErrSuperseded when another process has prepared it with
	// another one since.
	ConfigHash string
	Table      schema.Table
	Fits       []Refit
	Misfits    []Misfit
	Now        time.Time // the caller's clock: windows that are to be read again are due from then on
}

// Fingerprints are those of all rejects of the retry.
func (r Retry) Fingerprints() []string {
	all := make([]string, 0, len(r.Fits)+len(r.Misfits))
	for _, f := range r.Fits {
		all = append(all, f.Fingerprint)
	}
	for _, m := range r.Misfits {
		all = append(all, m.Fingerprint)
	}
	return all
}

// Batch is rows of the retry that are to be written into its table. Without a key they are compared with those of their windows: what was
// read again meanwhile, and did fit, is there already.
func (r Retry) Batch(table schema.Table, rows []Row) Batch {
	b := Batch{Table: table, Rows: rows}
	if len(table.Key) == 0 {
		b.Write = Append
	}
	return b
}

// Judge tells the rows to write from those of which the table got another version after their reject was seen last, or
// in the same commit. seen says when, of the rejects that are still there; written, when the table's version of a row
// was written. The rows to write are in the order in which they were seen: of two versions of a row the last counts.
func (r Retry) Judge(seen map[string]time.Time, written func(Row) (at time.Time, ok bool)) (rows, outdated []Row, done Retried) {
	fits := slices.Clone(r.Fits)
	slices.SortStableFunc(fits, func(a, b Refit) int { return seen[a.Fingerprint].Compare(seen[b.Fingerprint]) })
	for _, f := range fits {
		last, there := seen[f.Fingerprint]
		if !there {
			continue
		}
		if at, ok := written(f.Row); ok && !at.Before(last) {
			outdated = append(outdated, f.Row)
		} else {
			rows = append(rows, f.Row)
		}
	}
	done = Retried{Outdated: int64(len(outdated)), Gone: int64(len(r.Fits) + len(r.Misfits) - len(seen))}
	for _, m := range r.Misfits {
		if _, there := seen[m.Fingerprint]; there {
			done.Left++
		}
	}
	return rows, outdated, done
}

// Refit is a reject that fits now.
type Refit struct {
	Fingerprint string
	Row         Row
}

// Misfit is a reject that still does not fit.
type Misfit struct {
	Fingerprint string
	Field       string
	Reason      string
}

// Retried is what became of the rejects of a retry.
type Retried struct {
	Counts // of the rows that were written
	// Outdated counts the rejects that were dropped since the table has got a version of their row after they were
	// seen last. The windows of these rows are due again, so that the API has the last word.
	Outdated int64
	Left     int64 // rejects that still do not fit
	Gone     int64 // rejects that a commit forgot meanwhile: their rows are read
}

// Add sums up.
func (r *Retried) Add(other Retried) {
	r.Inserted += other.Inserted
	r.Updated += other.Updated
	r.Unchanged += other.Unchanged
	r.Duplicate += other.Duplicate
	r.Outdated += other.Outdated
	r.Left += other.Left
	r.Gone += other.Gone
}
