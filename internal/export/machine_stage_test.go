package export_test

import (
	"context"
	"flag"
	"io"
	"testing"

	"pgregory.net/rapid"
)

// setRapid sets a flag of rapid for the test, unless the command line does.
func setRapid(t *testing.T, name, value string) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return
	}
	of := flag.Lookup(name).Value // not by flag.Set, after which it would count as given
	before := of.String()
	if err := of.Set(value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = of.Set(before) })
}

// stage is a test for one of its checks: what is reported fails the check, so that rapid can shrink it, and what was
// opened is closed when the check ends.
type stage struct {
	testing.TB
	check *rapid.T
}

func (s stage) Cleanup(f func())             { s.check.Cleanup(f) }
func (s stage) Context() context.Context     { return s.check.Context() }
func (s stage) Output() io.Writer            { return s.check.Output() }
func (s stage) Failed() bool                 { return s.check.Failed() }
func (s stage) Log(args ...any)              { s.check.Log(args...) }
func (s stage) Logf(f string, args ...any)   { s.check.Logf(f, args...) }
func (s stage) Error(args ...any)            { s.check.Error(args...) }
func (s stage) Errorf(f string, args ...any) { s.check.Errorf(f, args...) }
func (s stage) Fatal(args ...any)            { s.check.Fatal(args...) }
func (s stage) Fatalf(f string, args ...any) { s.check.Fatalf(f, args...) }
func (s stage) Fail()                        { s.check.Fail() }
func (s stage) FailNow()                     { s.check.FailNow() }
