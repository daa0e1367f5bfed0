package keys

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"portal.example/eventstore"
)

const (
	keySize = 32 // bytes, of master keys and of subjects' keys: AES-256

	// Variable is the environment variable that can hold the master key.
	Variable = "PORTAL_MASTER_KEY"
	// FileName is the master key's file in the data directory.
	FileName = "master.key"
)

// Master is the master key, under which the keys of subjects are wrapped. It is
// a list while one is being replaced: the first wraps, all of them unwrap.
// Printing it shows no more than its id.
type Master struct {
	keys []masterKey
}

type masterKey struct {
	id     string // does not tell the key
	secret []byte
	aead   eventstore.Key
}

// OpenMaster reads the master key from the value of PORTAL_MASTER_KEY: base64
// of 32 bytes, or several such keys separated by commas, the newest first.
// Where the value is empty it reads them, one a line, from the file in dir,
// which is made with a new key if it does not exist.
func OpenMaster(value, dir string) (*Master, error) {
	if value != "" {
		m, err := parseMaster(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", Variable, err)
		}
		return m, nil
	}
	path := filepath.Join(dir, FileName)
	text, err := readOrCreate(path)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	m, err := parseMaster(text)
	if err != nil {
		return nil, fmt.Errorf("master key: %s: %w", path, err)
	}
	return m, nil
}

// parseMaster reads the keys. Its errors show nothing of them.
func parseMaster(text string) (*Master, error) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
	if len(parts) == 0 {
		return nil, errors.New("no key in it")
	}
	m := &Master{}
	for i, part := range parts {
		secret, err := base64.StdEncoding.DecodeString(part)
		if err != nil || len(secret) != keySize {
			return nil, fmt.Errorf("key %d is not base64 of %d bytes", i+1, keySize)
		}
		aead, err := subtle.NewAESGCM(secret)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		m.keys = append(m.keys, masterKey{id: idOf(secret), secret: secret, aead: aead})
	}
	return m, nil
}

func idOf(secret []byte) string {
	sum := sha256.Sum256(append([]byte("portal master key id\x00"), secret...))
	return hex.EncodeToString(sum[:8])
}

func newMasterText() string {
	secret := make([]byte, keySize)
	rand.Read(secret)
	return base64.StdEncoding.EncodeToString(secret) + "\n"
}

// Derive makes a secret for another purpose, the same for as long as the oldest
// key is on the list. Knowing it does not help to know the master key.
func (m *Master) Derive(purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, m.keys[len(m.keys)-1].secret, nil, "portal "+purpose, keySize)
}

// Format shows the id of the key that wraps, whatever the verb.
func (m Master) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "master key %s", m.keys[0].id)
}

func (m *Master) current() masterKey { return m.keys[0] }

// ids are those of all keys on the list.
func (m *Master) ids() []string {
	ids := make([]string, len(m.keys))
	for i, k := range m.keys {
		ids[i] = k.id
	}
	return ids
}

func (m *Master) wrap(s eventstore.Subject, secret []byte) ([]byte, error) {
	return m.current().aead.Encrypt(secret, binding(s))
}

func (m *Master) unwrap(s eventstore.Subject, masterID string, wrapped []byte) ([]byte, error) {
	for _, k := range m.keys {
		if k.id != masterID {
			continue
		}
		secret, err := k.aead.Decrypt(wrapped, binding(s))
		if err != nil {
			return nil, fmt.Errorf("the key of subject %q does not unwrap under master key %s", s.ID, masterID)
		}
		return secret, nil
	}
	return nil, fmt.Errorf("the key of subject %q is wrapped under master key %s, which is not at hand", s.ID, masterID)
}

// binding is the associated data that keeps a wrapped key in its row.
func binding(s eventstore.Subject) []byte {
	b := []byte("portal subject key\x00")
	b = binary.AppendUvarint(b, uint64(len(s.Business)))
	b = append(b, s.Business...)
	return append(b, s.ID...)
}
