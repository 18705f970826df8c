package main

import (
	"bufio"
	"encoding/binary"
	"os"
	"path/filepath"
)

// renderFiles writes the rows as the API will send them, twice, and as CSV. Nothing is then made while the clock runs.
// offsets says where each row begins: a change leaves every length as it is.
func renderFiles(dir string, rows int) error {
	var offsets []byte
	at := uint64(0)
	row := func(changed bool) func(buf []byte, n int) []byte {
		return func(buf []byte, n int) []byte {
			before := len(buf)
			if n > 0 {
				buf = append(buf, ',')
			}
			buf = callAt(n, changed).appendJSON(buf)
			if !changed {
				offsets = binary.LittleEndian.AppendUint64(offsets, at)
				at += uint64(len(buf) - before)
			}
			return buf
		}
	}
	if err := renderFile(filepath.Join(dir, "plain.json"), rows, row(false)); err != nil {
		return err
	}
	offsets = binary.LittleEndian.AppendUint64(offsets, at)
	if err := os.WriteFile(filepath.Join(dir, "offsets"), offsets, 0o600); err != nil {
		return err
	}
	if err := renderFile(filepath.Join(dir, "changed.json"), rows, row(true)); err != nil {
		return err
	}
	return renderFile(csvFile(dir), rows, func(buf []byte, n int) []byte { return callAt(n, false).appendCSV(buf) })
}

func csvFile(dir string) string { return filepath.Join(dir, "calls.csv") }

func renderFile(path string, rows int, row func(buf []byte, n int) []byte) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	out := bufio.NewWriterSize(file, 1<<20)
	var buf []byte
	for n := range rows {
		buf = row(buf[:0], n)
		if _, err := out.Write(buf); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return file.Close()
}
