package node

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// groupProblem is an error about a group that clients know by its trailers.
type groupProblem struct {
	code      codes.Code
	exception string
	key       groupKey
	reason    string
}

func (p *groupProblem) Error() string {
	return fmt.Sprintf("Subscription group %s on stream %s %s", p.key.name, p.key.stream, p.reason)
}

func (p *groupProblem) status(ctx context.Context) error {
	pairs := []string{trailerException, p.exception, trailerStream, p.key.stream, "group-name", p.key.name}
	if p.code == codes.Internal {
		pairs = append(pairs, "reason", p.reason)
	}
	trail(ctx, pairs...)
	return status.Error(p.code, p.Error())
}

func noGroup(key groupKey) error {
	return &groupProblem{codes.NotFound, "persistent-subscription-does-not-exist", key, "does not exist."}
}

func isNoGroup(err error) bool {
	var problem *groupProblem
	return errors.As(err, &problem) && problem.code == codes.NotFound
}

func groupExists(key groupKey) error {
	return &groupProblem{codes.AlreadyExists, "persistent-subscription-exists", key, "exists."}
}

func groupFull(key groupKey) error {
	return &groupProblem{codes.FailedPrecondition, "maximum-subscribers-reached", key, "has as many subscribers as it may have."}
}

func groupDropped(key groupKey) error {
	return &groupProblem{codes.Canceled, "persistent-subscription-dropped", key, "was dropped."}
}

func groupFailed(key groupKey, reason string) error {
	return &groupProblem{codes.Internal, "persistent-subscription-failed", key, "failed: " + reason}
}
