package localpg

import "syscall"

// attributes run a child as account, and end it when the test process is killed.
func attributes(account *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: account, Pdeathsig: syscall.SIGQUIT}
}

// enough is the room that tests may need, in bytes: many databases at once, and their log.
const enough = 2 << 30

// Scratch is where tests keep data that they soon throw away: in memory where that has room, since making and dropping
// tables by the thousand is slow on a disk.
func Scratch() string {
	const memory = "/dev/shm"
	var room syscall.Statfs_t
	if err := syscall.Statfs(memory, &room); err != nil || room.Bavail*uint64(room.Bsize) < enough {
		return Disk
	}
	return memory
}
