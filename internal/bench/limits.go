package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// What the exporter is compared with.

const pageSize = 1000

// copyCSV is what a person with a CSV file would do.
func (w *workshop) copyCSV(ctx context.Context) (sample, error) {
	s, err := w.copyFile(ctx, csvFile(w.dir), "csv")
	if err != nil {
		return sample{}, err
	}
	_, err = os.Stat(w.binaryFile())
	if errors.Is(err, fs.ErrNotExist) {
		_, err = program(w.psql(ctx, fmt.Sprintf(`\copy calls to '%s' with (format binary)`, w.binaryFile())))
	}
	return s, err
}

// copyBinary is the least that a load into Postgres can cost. The file is the one that copyCSV made.
func (w *workshop) copyBinary(ctx context.Context) (sample, error) {
	return w.copyFile(ctx, w.binaryFile(), "binary")
}

func (w *workshop) copyFile(ctx context.Context, path, format string) (sample, error) {
	if err := w.exec(ctx, keyedTable()); err != nil {
		return sample{}, err
	}
	s, err := w.timed(ctx, func() (sample, error) {
		return program(w.psql(ctx, fmt.Sprintf(`\copy calls from '%s' with (format %s)`, path, format)))
	})
	if err != nil {
		return sample{}, err
	}
	return s, w.check(ctx, "calls", false)
}

func (w *workshop) binaryFile() string { return filepath.Join(w.dir, "calls.bin") }

func (w *workshop) psql(ctx context.Context, command string) *exec.Cmd {
	return exec.CommandContext(ctx, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", w.postgresDSN(), "-c", command)
}

// importSQLite is the same for SQLite.
func (w *workshop) importSQLite(ctx context.Context) (sample, error) {
	script := fmt.Sprintf(".mode csv\n%s;\n.import %s calls\n", keyedTable(), csvFile(w.dir))
	command := exec.CommandContext(ctx, "sqlite3", "-bail", filepath.Join(w.dir, "import.db"))
	command.Stdin = strings.NewReader(script)
	defer func() { _ = os.Remove(filepath.Join(w.dir, "import.db")) }()
	return w.timed(ctx, func() (sample, error) { return program(command) })
}

// pageRequest is the body of a request for a page of all rows.
func (w *workshop) pageRequest(skip int) ([]byte, error) {
	return json.Marshal(map[string]any{
		"query": "query GetReportData($reportId: ID!, $startTime: Date, $endTime: Date, $skip: Int, $limit: Int) {\n" +
			"  getReportData(reportId: $reportId, startTime: $startTime, endTime: $endTime, skip: $skip, limit: $limit)\n}",
		"variables": map[string]any{"startTime": firstCall(), "endTime": end(w.rows), "skip": skip, "limit": pageSize},
	})
}

// page posts a request for a page and has read take its body.
func (w *workshop) page(ctx context.Context, delay time.Duration, skip int, read func(io.Reader) error) error {
	body, err := w.pageRequest(skip)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.endpoint("plain", delay.String()), bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return read(response.Body)
}

// readPages reads all pages, eight in flight, and throws them away.
func readPages(delay time.Duration) func(*workshop, context.Context) (sample, error) {
	return func(w *workshop, ctx context.Context) (sample, error) {
		return w.timed(ctx, func() (sample, error) {
			before := ownCPU()
			var next atomic.Int64
			group, ctx := errgroup.WithContext(ctx)
			for range inFlight {
				group.Go(func() error {
					for {
						skip := int(next.Add(pageSize)) - pageSize
						if skip >= w.rows {
							return nil
						}
						err := w.page(ctx, delay, skip, func(body io.Reader) error {
							_, err := io.Copy(io.Discard, body)
							return err
						})
						if err != nil {
							return err
						}
					}
				})
			}
			err := group.Wait()
			return sample{client: ownCPU() - before}, err
		})
	}
}

// plainProgram is what people write: page after page, decoded to maps, each upserted by a statement of many rows.
func plainProgram(delay time.Duration) func(*workshop, context.Context) (sample, error) {
	return func(w *workshop, ctx context.Context) (sample, error) {
		conn, err := pgx.Connect(ctx, w.postgresDSN())
		if err != nil {
			return sample{}, err
		}
		defer func() { _ = conn.Close(ctx) }()
		var there bool
		if err := conn.QueryRow(ctx, "SELECT to_regclass('calls') IS NOT NULL").Scan(&there); err != nil {
			return sample{}, err
		}
		if !there {
			if _, err := conn.Exec(ctx, keyedTable()); err != nil {
				return sample{}, err
			}
		}
		s, err := w.timed(ctx, func() (sample, error) {
			before := ownCPU()
			for skip := 0; ; skip += pageSize {
				rows, err := w.plainPage(ctx, delay, skip)
				if err != nil {
					return sample{}, err
				}
				if len(rows) == 0 {
					return sample{client: ownCPU() - before}, nil
				}
				if err := plainUpsert(ctx, conn, rows); err != nil {
					return sample{}, err
				}
			}
		})
		if err != nil {
			return sample{}, err
		}
		return s, w.check(ctx, "calls", false)
	}
}

func (w *workshop) plainPage(ctx context.Context, delay time.Duration, skip int) (rows []map[string]any, err error) {
	var reply struct {
		Data struct {
			GetReportData struct{ Data []map[string]any }
		}
	}
	err = w.page(ctx, delay, skip, func(body io.Reader) error { return json.NewDecoder(body).Decode(&reply) })
	return reply.Data.GetReportData.Data, err
}

func plainUpsert(ctx context.Context, conn *pgx.Conn, rows []map[string]any) error {
	var statement strings.Builder
	var names, set []string
	for _, f := range fields() {
		names, set = append(names, f.name), append(set, f.name+" = excluded."+f.name)
	}
	fmt.Fprintf(&statement, "INSERT INTO calls (%s) VALUES ", strings.Join(names, ", "))
	values := make([]any, 0, len(rows)*len(names))
	for i, row := range rows {
		separator := ", ("
		if i == 0 {
			separator = "("
		}
		for _, f := range fields() {
			v := row[f.id]
			if number, ok := v.(float64); ok {
				v = int64(number)
			}
			values = append(values, v)
			statement.WriteString(separator + "$" + strconv.Itoa(len(values)))
			separator = ", "
		}
		statement.WriteByte(')')
	}
	statement.WriteString(" ON CONFLICT (call_id) DO UPDATE SET " + strings.Join(set, ", "))
	_, err := conn.Exec(ctx, statement.String(), values...)
	return err
}
