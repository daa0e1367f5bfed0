// Package codectest helps to test what events look like in the log: golden
// files for event types, and a keyring without a database.
package codectest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"portal.example/eventstore"
)

// Keyring derives every key from its subject's name, so that golden files made
// once open for ever. It protects nothing.
type Keyring struct {
	mu      sync.Mutex
	keys    map[eventstore.Subject]eventstore.Key // nil once erased
	queries int
}

// NewKeyring is a keyring in which nobody has been erased.
func NewKeyring() *Keyring {
	return &Keyring{keys: make(map[eventstore.Subject]eventstore.Key)}
}

// Erase destroys the key of a subject.
func (k *Keyring) Erase(s eventstore.Subject) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[s] = nil
}

// Queries is how often the keyring has been asked.
func (k *Keyring) Queries() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.queries
}

// Obtain implements eventstore.Keyring.
func (k *Keyring) Obtain(ctx context.Context, subjects []eventstore.Subject) (map[eventstore.Subject]eventstore.Key, error) {
	keys, err := k.Lookup(ctx, subjects)
	if err != nil {
		return nil, err
	}
	for s, key := range keys {
		if key == nil {
			return nil, fmt.Errorf("codectest: subject %s: %w", s.ID, eventstore.ErrErased)
		}
	}
	return keys, nil
}

// Lookup implements eventstore.Keyring. Here every subject has always had a key.
func (k *Keyring) Lookup(_ context.Context, subjects []eventstore.Subject) (map[eventstore.Subject]eventstore.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queries++
	keys := make(map[eventstore.Subject]eventstore.Key, len(subjects))
	for _, s := range subjects {
		if _, known := k.keys[s]; !known {
			raw := sha256.Sum256(fmt.Appendf(nil, "codectest %q %q", s.Business, s.ID))
			key, err := subtle.NewAESGCM(raw[:])
			if err != nil {
				return nil, err
			}
			k.keys[s] = key
		}
		keys[s] = k.keys[s]
	}
	return keys, nil
}
