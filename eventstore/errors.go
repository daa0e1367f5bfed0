package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The kinds of failure, for errors.Is. A context that was cancelled is none of
// them: such an error matches context.Canceled.
var (
	// ErrStreamNotFound: nothing was ever appended, or the stream was deleted softly.
	ErrStreamNotFound = errors.New("stream not found")
	// ErrStreamDeleted: the stream is tombstoned, or was to exist and is deleted.
	ErrStreamDeleted = errors.New("stream deleted")
	// ErrWrongExpected: the stream is not where the append expected it;
	// Error.Current tells where it is.
	ErrWrongExpected = errors.New("stream is not at the expected revision")
	// ErrTooLarge: the append is above MaxAppendSize, or an event is larger
	// than a message may be.
	ErrTooLarge = errors.New("too large")
	// ErrAccessDenied: the log does not know the credentials, or they do not suffice.
	ErrAccessDenied = errors.New("access denied")
	// ErrInvalid: the request can never succeed as it is.
	ErrInvalid = errors.New("invalid request")
	// ErrUnavailable: the log could not be reached, or did not answer, for as
	// long as the context or Config.Timeout allowed. Whether an append was
	// taken is not known: repeat it with the same ids and the same expectation.
	ErrUnavailable = errors.New("log unavailable")
	// ErrFull: the log's disk has no room for an append; reads go on. It is an
	// ErrUnavailable of which the log speaks at once and which lasts until
	// somebody makes room. The last try was not taken; whether one before it was,
	// whose answer was lost, is not known.
	ErrFull = fmt.Errorf("%w: its disk is full", ErrUnavailable)
	// ErrFault: the log failed inside or broke its own protocol. Repeating is
	// not known to help.
	ErrFault = errors.New("log at fault")
	// ErrClosed: the client or the subscription was closed.
	ErrClosed = errors.New("closed")
)

// Error is what the calls of this package fail with.
type Error struct {
	Op     string // what was tried, such as "append to"
	Stream string // empty for the whole log
	Kind   error  // one of the kinds above, or context.Canceled
	// Current is the revision of the stream's last event where Kind is
	// ErrWrongExpected; nil where the stream has none.
	Current *uint64
	Cause   error // may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("eventstore: " + e.Op)
	if e.Stream != "" {
		b.WriteString(" " + strconv.Quote(e.Stream))
	}
	b.WriteString(": " + e.Kind.Error())
	if e.Cause != nil {
		b.WriteString(": " + e.Cause.Error())
	}
	return b.String()
}

// Unwrap lets errors.Is and errors.As see both the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// operation names a call in its errors.
type operation struct {
	name   string
	stream string
}

func (o operation) fail(kind, cause error) *Error {
	return &Error{Op: o.name, Stream: o.stream, Kind: kind, Cause: cause}
}

// refused makes the error of an answer that repeating would not change.
func (o operation) refused(err error) *Error {
	failure := o.fail(kindOf(err), reasonOf(err))
	if errors.Is(err, failure.Kind) || errors.Is(failure.Kind, ErrStreamNotFound) {
		failure.Cause = nil // says the same again
	}
	if errors.Is(failure.Kind, ErrWrongExpected) {
		failure.Current = currentRevision(err)
	}
	return failure
}

// passing tells an error that is worth another try at once.
func passing(err error) bool {
	kind := kindOf(err)
	return errors.Is(kind, ErrUnavailable) && !errors.Is(kind, ErrFull)
}

// kindOfCode has what the esdb client finds out by itself; its other codes only
// repeat gRPC's.
var kindOfCode = map[esdb.ErrorCode]error{
	esdb.ErrorCodeResourceNotFound:     ErrStreamNotFound,
	esdb.ErrorCodeStreamDeleted:        ErrStreamDeleted,
	esdb.ErrorCodeWrongExpectedVersion: ErrWrongExpected,
	esdb.ErrorCodeNotLeader:            ErrUnavailable,
	esdb.ErrorCodeConnectionClosed:     ErrUnavailable,
}

// kindOf sorts an error of the esdb client.
func kindOf(err error) error {
	for _, kind := range []error{ErrGroupNotFound, ErrGroupExists} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	var failure *esdb.Error
	if errors.As(err, &failure) {
		if kind, known := kindOfCode[failure.Code()]; known {
			return kind
		}
	}
	for _, brief := range []error{
		errSilent, errNotConnected, errGroupFull,
		io.EOF, // all that sending on a stream that has just broken says
		context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, brief) {
			return ErrUnavailable
		}
	}
	return kindOfStatus(err)
}

func kindOfStatus(err error) error {
	text := strings.ToLower(err.Error())
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Aborted,
		codes.Canceled: // by the esdb client itself, when it changes over to the leader
		return ErrUnavailable
	case codes.Unauthenticated, codes.PermissionDenied:
		return ErrAccessDenied
	case codes.InvalidArgument, codes.FailedPrecondition, codes.OutOfRange:
		if strings.Contains(text, "append size") {
			return ErrTooLarge
		}
		return ErrInvalid
	case codes.ResourceExhausted:
		if strings.Contains(text, "larger than max") { // gRPC's own limit of a message
			return ErrTooLarge
		}
		if saysFull(err) {
			return ErrFull
		}
		return ErrUnavailable // overloaded
	default:
		return ErrFault
	}
}

// DiskFull is the reason, in an ErrorInfo among the details of a status, by which
// the embedded node says that its disk has no room for an append. EventStoreDB has
// no word for that: it ends, and is then out of reach.
const DiskFull = "DISK_FULL"

func saysFull(err error) bool {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetReason() == DiskFull {
			return true
		}
	}
	return false
}

// connectionLost tells whether other calls had better not use the connection
// either.
func connectionLost(err error) bool {
	var failure *esdb.Error
	if errors.As(err, &failure) && failure.Code() == esdb.ErrorCodeConnectionClosed {
		return true
	}
	return status.Code(err) == codes.Unavailable || errors.Is(err, errSilent)
}

// reasonOf cuts what the esdb client wraps around the server's own words.
func reasonOf(err error) error {
	var answer interface{ GRPCStatus() *status.Status }
	if errors.As(err, &answer) {
		return fmt.Errorf("%s (%s)", answer.GRPCStatus().Message(), answer.GRPCStatus().Code())
	}
	var failure *esdb.Error
	if errors.As(err, &failure) && failure.Err() != nil {
		return failure.Err()
	}
	return err
}

// currentRevision finds the stream's revision in the one place where the esdb
// client leaves it, the text of its error. nil when the stream has none.
func currentRevision(err error) *uint64 {
	_, rest, _ := strings.Cut(err.Error(), "but got '")
	digits, _, _ := strings.Cut(rest, "'")
	revision, parseErr := strconv.ParseUint(digits, 10, 64)
	if parseErr != nil {
		return nil
	}
	return &revision
}
