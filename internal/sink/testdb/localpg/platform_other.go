//go:build unix && !linux

package localpg

import "syscall"

// attributes run a child as account.
func attributes(account *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: account}
}

// Scratch is where tests keep data that they soon throw away.
func Scratch() string { return Disk }
