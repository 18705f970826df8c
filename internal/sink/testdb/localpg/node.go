package localpg

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// Node is a Postgres that can be stopped and started again. What a client was told to be committed is so, whatever
// becomes of the process (though not of the machine: fsync is off).
type Node struct {
	bin, dir, password string
	account            *syscall.Credential
	port               int
	running            *Process
}

// NewNode makes a server in a new directory and starts it. Close must be called.
func NewNode() (*Node, error) {
	n, err := newNode(rand.Text())
	if err != nil {
		return nil, err
	}
	if err := initialise(n.bin, n.dir, n.password, n.account); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, n.Start()
}

// newNode is a server without data.
func newNode(password string) (*Node, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	n := &Node{bin: bin, password: password}
	if n.account, err = Unprivileged(); err != nil {
		return nil, err
	}
	if n.port, err = FreePort(); err != nil {
		return nil, err
	}
	n.dir, err = Directory(n.account)
	return n, err
}

// Directory makes one that the account owns, for what is soon thrown away.
func Directory(account *syscall.Credential) (string, error) { return directory(Scratch(), account) }

func directory(below string, account *syscall.Credential) (string, error) {
	dir, err := os.MkdirTemp(below, "pg")
	if err == nil && account != nil {
		err = os.Chown(dir, int(account.Uid), int(account.Gid))
	}
	return dir, err
}

// address is the host and port of the server, the same after each start.
func (n *Node) address() string { return fmt.Sprintf("127.0.0.1:%d", n.port) }

// DSN leads to the server; its role is a superuser with a password.
func (n *Node) DSN() string { return dsn(n.password, n.port) }

// FailoverDSN leads to whichever of two servers takes writes.
func (n *Node) FailoverDSN(other *Node) string {
	return "postgres://postgres:" + n.password + "@" + n.address() + "," + other.address() +
		"/postgres?sslmode=disable&target_session_attrs=read-write"
}

// Start starts the server and returns once it takes connections.
func (n *Node) Start() (err error) {
	settings := []string{"fsync=off", "full_page_writes=off", "shared_buffers=64MB"}
	if n.running, err = Launch(postgres(n.bin, n.dir, "", n.port, settings), n.dir, n.account); err != nil {
		return err
	}
	return n.running.AwaitReady(n.DSN())
}

// Stop shuts the server down at once, as a crash would: connections break, and what was under way is undone.
func (n *Node) Stop() {
	if n.running != nil {
		n.running.Stop()
		n.running = nil
	}
}

// Close stops the server and removes all that it kept.
func (n *Node) Close() error {
	n.Stop()
	return os.RemoveAll(n.dir)
}

// Standby makes a hot standby of the server and starts it, as "standby" in synchronous_standby_names. Close must be
// called.
func (n *Node) Standby() (*Node, error) {
	standby, err := newNode(n.password)
	if err != nil {
		return nil, err
	}
	backup := exec.Command(filepath.Join(n.bin, "pg_basebackup"), "-D", filepath.Join(standby.dir, "data"), "-R", "-X", "stream",
		"--checkpoint=fast", "--no-sync", "-d", "host=127.0.0.1 user=postgres application_name=standby port="+strconv.Itoa(n.port))
	backup.Dir, backup.SysProcAttr = standby.dir, attributes(n.account)
	backup.Env = append(os.Environ(), "PGPASSWORD="+n.password)
	if out, err := backup.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("pg_basebackup: %w: %s", err, out), standby.Close())
	}
	return standby, standby.Start()
}
