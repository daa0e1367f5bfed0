package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// ErrUnknownToken is what an Authenticator says to a token that is not good, or
// not any more.
var ErrUnknownToken = errors.New("unknown token")

// Authenticator knows whose a token is. Any error but ErrUnknownToken means that
// it could not find out.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (Principal, error)
}

// scheme is the name of the one security scheme.
const scheme = "bearer"

// Public marks an operation that needs no token: `Security: api.Public`.
var Public = []map[string][]string{}

// authenticate answers 401 to whoever does not prove who they are, before the
// rest of the request is looked at.
func authenticate(a huma.API, known Authenticator) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if security := ctx.Operation().Security; security != nil && len(security) == 0 {
			next(ctx)
			return
		}
		principal, err := identify(ctx, known)
		if err != nil {
			refuse(a, ctx, err)
			return
		}
		next(huma.WithContext(ctx, WithPrincipal(ctx.Context(), principal)))
	}
}

func identify(ctx huma.Context, known Authenticator) (Principal, error) {
	kind, token, _ := strings.Cut(ctx.Header("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") || token == "" {
		return Principal{}, newDetails(http.StatusUnauthorized, "token_missing", "send a token: Authorization: Bearer …")
	}
	principal, err := known.Authenticate(ctx.Context(), token)
	if errors.Is(err, ErrUnknownToken) {
		return Principal{}, newDetails(http.StatusUnauthorized, "token_unknown", "the token is not valid, or not any more")
	}
	return principal, err
}

// Allow lets only some roles use an operation. It is asked before the request
// is validated and before anything is looked up.
func Allow(a huma.API, roles ...Role) huma.Middlewares {
	return huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		principal, _ := PrincipalFrom(ctx.Context())
		if !slices.Contains(roles, principal.Role) {
			refuse(a, ctx, newDetails(http.StatusForbidden, "role_forbidden", "the role of this token does not allow it"))
			return
		}
		next(ctx)
	}}
}

// refuse answers with an error where no handler is there to return it.
func refuse(a huma.API, ctx huma.Context, err error) {
	// huma has told standard error by then if nobody is there to read it.
	_ = huma.WriteErr(a, ctx, http.StatusInternalServerError, "", err)
}
