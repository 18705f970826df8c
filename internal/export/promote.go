package export

import (
	"context"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// Promoter fills columns from _extra.
type Promoter interface {
	Promote(ctx context.Context, p sink.Promotion) (sink.Promoted, error)
}

const (
	// promoteBatch is how many rows are looked through at once, and promoted in a transaction at most: nothing else of the
	// dataset is committed meanwhile.
	promoteBatch = 5000
	// promoteFor is how long a scheduled pass promotes before it leaves the rest to the next one.
	promoteFor = time.Minute
)

// promotion is how far the columns that were added to the mapping are filled. It is kept from pass to pass; a process
// that begins anew finds by _extra what is left.
type promotion struct {
	columns []string   // empty: nothing is to be promoted
	behind  schema.Row // up to here, in the order of the key
	rows    int64      // promoted
	misfits int64      // values that do not fit and stay in _extra
	first   *schema.RejectError
}

// promote fills columns that were added to the mapping with what _extra has of them, batch by batch, without asking
// the API. It comes after what is due.
func (p *passage) promote(ctx context.Context) error {
	began := time.Now()
	for batches := 0; p.lasting.promotion.columns != nil && !p.outOfTime(batches, began, promoteFor); batches++ {
		batch := p.lasting.promotion
		done, err := p.Warehouse.Promote(ctx, sink.Promotion{
			Dataset: p.Dataset.Name, ConfigHash: p.Dataset.ConfigHash, Table: p.Dataset.Mapper.Table(),
			Columns: batch.columns, Behind: batch.behind, Limit: promoteBatch,
			Promote: p.Dataset.Mapper.Promote,
		})
		if err != nil {
			return err
		}
		batch.count(done.Misfits)
		batch.rows += done.Written
		batch.behind = done.Last
		if done.Done {
			p.tellPromoted(batch)
			batch = promotion{}
		}
		p.lasting.promotion = batch
	}
	if p.lasting.promotion.rows > 0 {
		p.Logger.Info("columns are being filled from _extra; the next pass goes on", "dataset", p.Dataset.Name, "rows", p.lasting.promotion.rows)
	}
	return nil
}

func (b *promotion) count(misfits []*schema.RejectError) {
	if len(misfits) > 0 && b.first == nil {
		b.first = misfits[0]
	}
	b.misfits += int64(len(misfits))
}

// tellPromoted logs what became of a promotion, unless no row had anything to promote.
func (p *passage) tellPromoted(done promotion) {
	logger := p.Logger.With("dataset", p.Dataset.Name, "columns", done.columns)
	if done.rows > 0 {
		logger.Info("columns filled from _extra", "rows", done.rows)
	}
	if done.misfits > 0 {
		logger.Warn("values in _extra do not fit their columns and stay there: mend the type in the config",
			"values", done.misfits, "first", done.first.Error())
	}
}
