package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user that the server runs as. Postgres refuses to run as
// root, so root hands it to another account; everyone else runs it themselves.
type account struct {
	name     string
	uid, gid int
	other    bool // not the user of this process
}

func accountForServer() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		return account{name: name, uid: uid, gid: gid, other: true}, nil
	}
	return account{}, errors.New("the server cannot run as root, and there is neither a user postgres nor nobody to run it as")
}

// mkdirTemp makes a folder that only the account (and root) may enter.
func (a account) mkdirTemp(prefix string) (string, error) {
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return "", err
	}
	if err := errors.Join(a.own(dir), a.checkReach(dir)); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

// mkdir makes a folder that only the account (and root) may enter, or takes
// over the one that is there.
func (a account) mkdir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a folder has to be entered by its owner
		return err
	}
	return errors.Join(a.own(dir), a.checkReach(dir))
}

func (a account) writeFile(path, content string) error {
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	return a.own(path)
}

func (a account) own(path string) error {
	if !a.other {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

// checkReach finds the parent folder that would keep the account from its
// data: Postgres itself would only say "permission denied".
func (a account) checkReach(dir string) error {
	if !a.other {
		return nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 == 0 && !a.owns(info) {
			return fmt.Errorf("as root the server runs as user %s, who cannot enter %s: choose another folder than %s, or run as an ordinary user", a.name, parent, dir)
		}
		if parent == filepath.Dir(parent) {
			return nil
		}
	}
}

func (a account) owns(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == a.uid
}

// attributes make a child run as the account, in a process group of its own: a
// Ctrl-C in the terminal is for this process, which then stops its server in
// order.
func (a account) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.other {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}
