package node

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// The node knows two accounts. The application's reads everything and writes
// to ordinary streams; the administrator's writes to system streams too.
const (
	applicationUser   = "portal"
	administratorUser = "admin"
)

// guard lets calls through that carry the credentials of an account.
type guard struct {
	open          bool // an insecure node asks nobody: whoever reaches it is the administrator
	application   [sha256.Size]byte
	administrator [sha256.Size]byte
}

func newGuard(a Access) *guard {
	return &guard{
		open:          a.Insecure,
		application:   sha256.Sum256([]byte(basic(applicationUser, a.Password))),
		administrator: sha256.Sum256([]byte(basic(administratorUser, a.AdminPassword))),
	}
}

func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// anonymous are the services that a client calls before it signs in. They tell
// what any EventStoreDB tells to anybody, and nothing of what it holds.
func anonymous(method string) bool {
	return strings.HasPrefix(method, "/event_store.client.server_features.") ||
		strings.HasPrefix(method, "/event_store.client.gossip.")
}

type adminKey struct{}

func isAdmin(ctx context.Context) bool { return ctx.Value(adminKey{}) != nil }

// admit decides on the headers of a call, before anything else of it is read: a
// stranger's message must not take memory.
func (g *guard) admit(ctx context.Context, call *tap.Info) (context.Context, error) {
	if g.open {
		return context.WithValue(ctx, adminKey{}, true), nil
	}
	if anonymous(call.FullMethodName) {
		return ctx, nil
	}
	for _, value := range call.Header.Get("authorization") {
		scheme, credentials, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "basic") {
			continue
		}
		sum := sha256.Sum256([]byte(credentials))
		if subtle.ConstantTimeCompare(sum[:], g.administrator[:]) == 1 {
			return context.WithValue(ctx, adminKey{}, true), nil
		}
		if subtle.ConstantTimeCompare(sum[:], g.application[:]) == 1 {
			return ctx, nil
		}
	}
	return nil, status.Error(codes.Unauthenticated, "the node's credentials are missing or wrong")
}
