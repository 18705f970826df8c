// Package localpg runs a Postgres of its own from the machine's binaries, for tests and benchmarks.
package localpg

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTimeout is how long a new server may take until it answers.
const startTimeout = time.Minute

// Server is a running Postgres of this process's own.
type Server struct {
	DSN       string // of a superuser with a password
	Directory string // Stop removes it; the server's own is data in it
	process   *Process
}

// Stop ends the server at once and removes all that it kept.
func (s *Server) Stop() { s.process.Stop() }

// Disk is for data whose place matters. What is below has short names, and is not in a test's own directory: a socket's
// path has at most 107 bytes.
const Disk = "/tmp"

// Start runs a server in a new directory below one (Disk, Scratch()), with settings as in "fsync=off". It also ends when this
// process does.
func Start(below string, settings ...string) (*Server, error) {
	s, err := start(below, settings)
	if err != nil {
		return nil, fmt.Errorf("machine: %w", err)
	}
	return s, nil
}

func start(below string, settings []string) (s *Server, err error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	account, err := Unprivileged()
	if err != nil {
		return nil, err
	}
	// The port is free when it is picked; another process can still take it before Postgres does.
	for range 3 {
		if s, err = run(bin, below, account, settings); err == nil {
			return s, nil
		}
	}
	return nil, err
}

// run makes a server in a new directory and starts it.
func run(bin, below string, account *syscall.Credential, settings []string) (*Server, error) {
	dir, err := directory(below, account)
	if err != nil {
		return nil, err
	}
	password := rand.Text()
	if err := initialise(bin, dir, password, account); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	p, err := Launch(postgres(bin, dir, dir, port, settings), dir, account)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	dsn := dsn(password, port)
	if err := p.AwaitReady(dsn); err != nil {
		p.Stop()
		return nil, err
	}
	return &Server{DSN: dsn, Directory: dir, process: p}, nil
}

// binaries is the directory that holds initdb and postgres: PATH's, else the newest that Debian installed.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	newest, dir := 0, ""
	for _, path := range installed {
		bin := filepath.Dir(path)
		if version, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && version > newest {
			newest, dir = version, bin
		}
	}
	if dir == "" {
		return "", errors.New("initdb is neither on PATH nor in /usr/lib/postgresql")
	}
	return dir, nil
}

// Unprivileged is the account that runs Postgres, which refuses to run as root; nil: the test's own.
func Unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("postgres does not run as root, and there is no user postgres or nobody to run it as")
}

func initialise(bin, dir, password string, account *syscall.Credential) error {
	passwordFile := filepath.Join(dir, "password")
	if err := os.WriteFile(passwordFile, []byte(password+"\n"), 0o600); err != nil {
		return err
	}
	if account != nil {
		uid, gid := int(account.Uid), int(account.Gid)
		if err := os.Chown(passwordFile, uid, gid); err != nil {
			return err
		}
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "--pgdata", filepath.Join(dir, "data"),
		"--username=postgres", "--pwfile", passwordFile, "--auth=scram-sha-256",
		"--encoding=UTF8", "--no-locale", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, attributes(account)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// Process is a running server.
type Process struct {
	command *exec.Cmd
	output  bytes.Buffer
	exited  chan struct{}
}

// keeper runs Postgres until it is told to quit, and then removes the directory $0, if any: it outlives a test
// process that is killed.
const keeper = `trap : QUIT; "$@" & wait $!; kill -QUIT $! && wait $!; rm -rf "$0"`

// postgres is the command that serves the data in a directory, and removes another one, if any, when it has ended.
func postgres(bin, dir, remove string, port int, settings []string) *exec.Cmd {
	arguments := []string{"-c", keeper, remove, filepath.Join(bin, "postgres"), "-D", filepath.Join(dir, "data"),
		"-p", strconv.Itoa(port), "-k", dir, "-c", "listen_addresses=127.0.0.1"}
	for _, setting := range settings {
		arguments = append(arguments, "-c", setting)
	}
	return exec.Command("sh", arguments...)
}

func dsn(password string, port int) string {
	return fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%d/postgres?sslmode=disable", password, port)
}

// Launch starts a server in a directory, as an account (nil: this process's). It is told to quit when this process
// ends.
func Launch(command *exec.Cmd, dir string, account *syscall.Credential) (*Process, error) {
	p := &Process{command: command, exited: make(chan struct{})}
	p.command.Dir, p.command.SysProcAttr = dir, attributes(account)
	p.command.Stdout, p.command.Stderr = &p.output, &p.output

	started := make(chan error)
	go func() {
		// The keeper is told to quit when the thread ends that started it: this one, which lasts until it has.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.command.Start()
		started <- err
		if err == nil {
			_ = p.command.Wait()
		}
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", command.Path, err)
	}
	return p, nil
}

// AwaitReady waits until the server takes connections. It has no signal for that but to be asked.
func (p *Process) AwaitReady(dsn string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-p.exited:
			return fmt.Errorf("the server ended at once: %s", bytes.TrimSpace(p.output.Bytes()))
		case <-ctx.Done():
			return fmt.Errorf("the server did not start: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop shuts the server down at once, and waits for its end.
func (p *Process) Stop() {
	_ = p.command.Process.Signal(syscall.SIGQUIT) // immediate shutdown: nobody needs the data
	<-p.exited
}

// FreePort is a port of this machine on which nothing listens.
func FreePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
