package node

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"portal.example/eventstore"
	"portal.example/eventstore/node/journal"
)

// EventStoreDB's clients tell its errors apart by these trailers; the status
// code alone is not enough for them.
const (
	trailerException = "exception"
	trailerStream    = "stream-name"
)

// fail translates an error of the journal into the status and trailers that
// EventStoreDB's clients understand.
func fail(ctx context.Context, err error) error {
	var (
		gone    *journal.StreamDeleted
		wrong   *journal.WrongExpected
		corrupt *journal.Corruption
		problem *groupProblem
		full    *journal.DiskFull
		kept    *journal.Permanent
	)
	switch {
	case err == nil:
		return nil
	case status.Code(err) != codes.Unknown:
		return err
	case errors.As(err, &problem):
		return problem.status(ctx)
	case errors.As(err, &gone):
		trail(ctx, trailerException, "stream-deleted", trailerStream, gone.Stream)
		return status.Errorf(codes.FailedPrecondition, "Event stream '%s' is deleted.", gone.Stream)
	case errors.As(err, &wrong):
		trail(ctx, trailerException, "wrong-expected-version", trailerStream, wrong.Stream,
			"expected-version", strconv.FormatInt(int64(wrong.Expected), 10),
			"actual-version", strconv.FormatInt(wrong.Current, 10))
		return status.Error(codes.FailedPrecondition, wrong.Error())
	case errors.As(err, &kept):
		return accessDenied(ctx, "%s", kept.Error())
	case errors.As(err, &corrupt):
		return status.Error(codes.DataLoss, corrupt.Error())
	case errors.As(err, &full):
		return diskFull(full)
	case errors.Is(err, journal.ErrClosed):
		return errStopping
	case errors.Is(err, journal.ErrFailed):
		return status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, err.Error())
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, err.Error())
	default:
		return status.Error(codes.Internal, err.Error())
	}
}

// diskFull is a status that clients of ours know by its details from other limits
// of that code; others show its message.
func diskFull(full *journal.DiskFull) error {
	s := status.New(codes.ResourceExhausted, full.Error())
	detailed, err := s.WithDetails(&errdetails.ErrorInfo{Reason: eventstore.DiskFull, Domain: "portal.example"})
	if err != nil {
		return s.Err()
	}
	return detailed.Err()
}

var errStopping = status.Error(codes.Unavailable, "the node is stopping")

// invalid says what is wrong with a request, and where.
func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

func accessDenied(ctx context.Context, format string, args ...any) error {
	trail(ctx, trailerException, "access-denied")
	return status.Errorf(codes.PermissionDenied, format, args...)
}

func trail(ctx context.Context, pairs ...string) {
	for i := 1; i < len(pairs); i += 2 {
		pairs[i] = headerValue(pairs[i])
	}
	// It fails only outside a call, where there is nobody to tell.
	_ = grpc.SetTrailer(ctx, metadata.Pairs(pairs...))
}

// headerValue is a value as a header may hold it, printable ASCII; what is not,
// as in the names of some streams, is percent-encoded.
func headerValue(value string) string {
	var b strings.Builder
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
