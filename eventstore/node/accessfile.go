package node

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
)

// Access is what a program needs to reach a node, as written to node.json.
type Access struct {
	// Address is host:port.
	Address string `json:"address"`
	// Insecure says that the node speaks plain text and asks for no credentials.
	Insecure bool `json:"insecure,omitempty"`
	// CA is the path of the PEM certificate that signs the node's own.
	CA            string `json:"ca,omitempty"`
	User          string `json:"user,omitempty"`
	Password      string `json:"password,omitempty"`
	AdminUser     string `json:"adminUser,omitempty"`
	AdminPassword string `json:"adminPassword,omitempty"`
}

// ConnectionString is what EventStoreDB's clients take, with the application's
// credentials. It is a secret unless the node is insecure.
func (a Access) ConnectionString() string { return a.connection(a.User, a.Password) }

// AdminConnectionString is the same with the administrator's credentials.
func (a Access) AdminConnectionString() string { return a.connection(a.AdminUser, a.AdminPassword) }

func (a Access) connection(user, password string) string {
	if a.Insecure {
		return "esdb://" + a.Address + "?tls=false"
	}
	return "esdb://" + url.UserPassword(user, password).String() + "@" + a.Address +
		"?tls=true&tlsCaFile=" + url.QueryEscape(a.CA)
}

const accessName = "node.json"

// ErrNoNode says that a data folder names no node.
var ErrNoNode = errors.New("no node has written its address here")

// Discover reads how to reach the node that serves a data folder. Whether it
// still runs is found out by trying.
func Discover(dir string) (Access, error) {
	path := filepath.Join(dir, accessName)
	b, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Access{}, fmt.Errorf("%s: %w", path, ErrNoNode)
	}
	if err != nil {
		return Access{}, err
	}
	var a Access
	if err := json.Unmarshal(b, &a); err != nil {
		return Access{}, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

func (a Access) write(dir string) error {
	b, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	return writePrivate(filepath.Join(dir, accessName), append(b, '\n'))
}

// withdraw takes node.json away when its node has gone.
func withdraw(dir string) error {
	if err := os.Remove(filepath.Join(dir, accessName)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// secrets are the accounts' passwords, made at the first start and kept.
type secrets struct {
	Password      string `json:"password"`
	AdminPassword string `json:"adminPassword"`
}

func loadSecrets(dir string) (secrets, error) {
	path := filepath.Join(dir, "credentials.json")
	var s secrets
	b, err := readPrivate(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s = secrets{Password: rand.Text(), AdminPassword: rand.Text()}
		if b, err = json.MarshalIndent(s, "", "  "); err != nil {
			return s, err
		}
		return s, writePrivate(path, append(b, '\n'))
	case err != nil:
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	if s.Password == "" || s.AdminPassword == "" {
		return s, fmt.Errorf("%s: a password is missing", path)
	}
	return s, nil
}

// readPrivate reads a file that holds a secret, and refuses one that others
// could have read or written.
func readPrivate(path string) ([]byte, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	if err := private(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// private refuses a file or folder that others than its owner may use. One that
// is not there yet will be made right.
func private(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s: mode %04o lets others in, it must be %04o", path, mode, mode&0o700)
	}
	return nil
}

// writePrivate replaces a file whole, so that a reader sees the old or the new.
func writePrivate(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
