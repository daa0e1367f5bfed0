package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// Visit is one person with one document before them: what a view or a
// signature keeps of that moment beside what the metadata has (address, user
// agent, how they had signed in).
type Visit struct {
	By       Actor
	Session  string // id of the session, never its token
	Language string // that the document was shown in
	Salt     string // 32 lower-case hexadecimal digits, fresh for each visit
	At       time.Time
}

const maxSession = 100 // characters

// Check notes what is wrong with the visit.
func (v Visit) Check(c *Check) {
	c.Line("actor", v.By.ID, MaxName)
	c.Line("session", v.Session, maxSession)
	c.Language("language", v.Language)
	if salt, err := hex.DecodeString(v.Salt); err != nil || len(salt) != 16 {
		c.Fail("salt", "not_a_salt", "must be 32 hexadecimal digits")
	}
	c.Time("at", v.At)
}

// Of is the visit as a view of that version.
func (v Visit) Of(version int) RecentView {
	return RecentView{Session: v.Session, ActingFor: v.By.ActingFor, Version: version, At: v.At}
}

// Hash is the SHA-256, in hexadecimal digits, of the salt as it is written
// followed by the canonical JSON of what was shown. Whoever holds both can
// show what a view or a signature was of; without the salt, which is the
// viewer's personal data, nobody can find the content by trying.
func Hash(salt string, shown any) (string, error) {
	content, err := Canonical(shown)
	if err != nil {
		return "", fmt.Errorf("hash what was shown: %w", err)
	}
	sum := sha256.Sum256(append([]byte(salt), content...))
	return hex.EncodeToString(sum[:]), nil
}

// SameView is how long looking again in the same session, at the same version,
// is the same view.
const SameView = 10 * time.Minute

// Views remembers the views of one document that a repeat could still belong
// to. It is immutable.
type Views []RecentView

// RecentView is one view that was recorded.
type RecentView struct {
	Session   string
	ActingFor string // the contact as whom staff looked: another view than their own
	Version   int
	At        time.Time
}

// Cover says whether a view is part of one already recorded.
func (vs Views) Cover(view RecentView) bool {
	return slices.ContainsFunc(vs, func(v RecentView) bool {
		return v.Session == view.Session && v.ActingFor == view.ActingFor && v.Version == view.Version &&
			view.At.Sub(v.At) <= SameView
	})
}

// With adds a view and forgets those that no repeat can belong to any more.
func (vs Views) With(view RecentView) Views {
	next := make(Views, 0, len(vs)+1)
	for _, v := range vs {
		if view.At.Sub(v.At) <= SameView {
			next = append(next, v)
		}
	}
	return append(next, view)
}
