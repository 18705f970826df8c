package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Pieces of a password that must never be seen, whatever is wrong with the DSN around them.
const canary = "s3cr3t"

func TestThePasswordIsTakenOutOfADSN(t *testing.T) {
	for dsn, want := range map[string][2]string{
		"postgres://u:s3cr3t@h/db":                             {"postgres://u@h/db", "s3cr3t"},
		"postgresql://u:s3%40cr%2F3t@h:5433/db?sslmode=off":    {"postgresql://u@h:5433/db?sslmode=off", "s3@cr/3t"},
		"postgres://u:s3cr3t?#@h1:1,[::1]:2/db":                {"postgres://u@h1:1,[::1]:2/db", "s3cr3t?#"},
		"postgres://u@h/db?pass%77ord=s3%26cr3t&a=b":           {"postgres://u@h/db?a=b", "s3&cr3t"},
		"postgres://u:s3@h1:1,h2/db?target_session_attrs=any":  {"postgres://u@h1:1,h2/db?target_session_attrs=any", "s3"},
		"postgres://h/db":                                      {"postgres://h/db", ""},
		"postgres:///db?host=%2Ftmp&user=u&password=s3cr3t":    {"postgres:///db?host=%2Ftmp&user=u", "s3cr3t"},
		"host=h password=s3cr3t user=u":                        {"host=h user=u", "s3cr3t"},
		`password = 's3 cr\'3t\\' host='a b'`:                  {"host='a b'", `s3 cr'3t\`},
		`host=h Password=s3\ cr3t`:                             {"host=h", "s3 cr3t"},
		"dbname=db\n\tpassword=''  application_name='a=b c'\n": {"dbname=db application_name='a=b c'", ""},
	} {
		clean, password, err := takePassword(dsn)
		if err != nil || clean != want[0] || password != want[1] {
			t.Errorf("%s: got %q, %q, %v; want %q", dsn, clean, password, err, want)
		}
	}
}

func TestNoErrorHoldsThePassword(t *testing.T) {
	unreachable := "127.0.0.1:1"
	for _, dsn := range []string{
		"postgres://u:%[1]s@%[2]s/db",
		"postgres://u:%[1]s@%[2]s/db?sslmode=bogus",
		"postgres://u:%[1]s@%[2]s/db?connect_timeout=soon",
		"postgres://u:%[1]s@%[2]s/db?pool_max_conns=-1",
		"postgres://u:%[1]s%%zz@%[2]s/db",
		"postgres://u:a/%[1]s@%[2]s/db",
		"postgres://u:1/%[1]s@%[2]s/db",
		"postgres://u:a@%[1]s@%[2]s/db",
		"postgres://u:a#%[1]s/b@%[2]s/db",
		"postgres://u:1?%[1]s/b@%[2]s/db",
		"postgres://%[2]s/db?password=%[1]s&sslmode=bogus",
		"postgres://%[2]s/db?sslpassword=%[1]s&sslmode=bogus",
		"postgres://u:%[1]s",
		"postgres://u:%[1]s/db",
		"mysql://u:%[1]s@%[2]s/db",
		"u:%[1]s@%[2]s/db",
		"%[1]s",
		"host=127.0.0.1 port=1 password=%[1]s",
		"host=127.0.0.1 port=x password='a %[1]s'",
		"host=127.0.0.1 password='a \\' %[1]s",
		"host=127.0.0.1 password=a %[1]s port=x",
		"host=127.0.0.1 password=a\\",
		"host=127.0.0.1 port=1 password = 'a'' %[1]s = b",
		"password='%[1]s'host=127.0.0.1 port=y",
		"host=127.0.0.1 port=1 PASSWORD=%[1]s sslmode=bogus",
		"host=127.0.0.1 sslpassword='x\\'%[1]s' sslmode=bogus",
	} {
		dsn = strings.TrimSuffix(fmt.Sprintf(dsn, canary, unreachable), "%!(EXTRA string="+unreachable+")")
		dsn, _, _ = strings.Cut(dsn, "%!(EXTRA")
		err := use(t, Options{DSN: dsn})
		if err == nil {
			t.Errorf("%s: no error", dsn)
		} else if said := fmt.Sprintf("%v %+v %q", err, err, err); strings.Contains(said, canary) {
			t.Errorf("%s: the error shows the password: %v", dsn, err)
		}
	}
	err := use(t, Options{DSN: "postgres://u@" + unreachable + "/db", Password: canary})
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("a password beside the DSN: %v", err)
	}
}

// use opens a warehouse and asks it for something.
func use(t *testing.T, o Options) error {
	t.Helper()
	w, err := Open(t.Context(), o)
	if err != nil {
		return err
	}
	defer w.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = w.Status(ctx, time.Now())
	return err
}

func FuzzTakePassword(f *testing.F) {
	for _, seed := range []string{"postgres://u:p@h/db?a=b", "host=h password='a b'", `x='\`, "postgres://[::1", "=", "postgres://u:%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, dsn string) {
		clean, _, err := takePassword(dsn)
		if err != nil {
			return
		}
		again, password, err := takePassword(clean)
		if err != nil || again != clean || password != "" {
			t.Errorf("%q became %q, which becomes %q, %q, %v", dsn, clean, again, password, err)
		}
	})
}
