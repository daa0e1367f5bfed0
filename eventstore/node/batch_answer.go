package node

import (
	"context"
	"errors"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"portal.example/eventstore/node/journal"
)

var (
	errTooManyOpen = status.Errorf(codes.ResourceExhausted,
		"append: a call may have %d appends without their last part, and %d bytes in them", maxOpenBatches, maxOpenBytes)
	errNotWritable = status.Error(codes.PermissionDenied, "only the administrator writes to system streams")
)

// answerAll answers appends in order, as soon as each is on disk. Where it no
// longer can it only makes room, until there is nothing left.
func (b *batchCall) answerAll() (err error) {
	for a := range b.flying {
		if err == nil {
			if err = b.answer(a); err != nil {
				close(b.broken)
			}
		}
		if a.cancel != nil {
			a.cancel()
		}
		b.bytes.Release(int64(a.weight))
	}
	return err
}

// answer answers one append. An error is about the whole call.
func (b *batchCall) answer(a *batch) error {
	var result journal.Result
	err := a.err
	if err == nil {
		result, err = a.pending.Wait(a.ctx)
	}
	answer := &streams.BatchAppendResp{CorrelationId: a.correlation, StreamIdentifier: a.told()}
	switch {
	case b.ctx.Err() != nil:
		return b.ctx.Err()
	case errors.Is(err, journal.ErrClosed), errors.Is(err, journal.ErrFailed):
		return fail(b.ctx, err) // it will be so for all that follow
	case err != nil:
		answer.Result = &streams.BatchAppendResp_Error{Error: refusal(b.ctx, err)}
	default:
		answer.Result = &streams.BatchAppendResp_Success_{Success: batchAppended(result)}
	}
	return b.call.Send(answer)
}

// told is the stream as its client named it, which some clients cannot do
// without. A name that is none may have any length.
func (a *batch) told() *shared.StreamIdentifier {
	name := a.target.GetStreamName()
	return &shared.StreamIdentifier{StreamName: name[:min(len(name), maxNameBytes)]}
}

func batchAppended(r journal.Result) *streams.BatchAppendResp_Success {
	if r.Revision < 0 {
		return &streams.BatchAppendResp_Success{
			CurrentRevisionOption: &streams.BatchAppendResp_Success_NoStream{NoStream: &emptypb.Empty{}},
			PositionOption:        &streams.BatchAppendResp_Success_NoPosition{NoPosition: &emptypb.Empty{}},
		}
	}
	return &streams.BatchAppendResp_Success{
		CurrentRevisionOption: &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: uint64(r.Revision)},
		PositionOption: &streams.BatchAppendResp_Success_Position{
			Position: &shared.AllStreamPosition{CommitPosition: r.Position, PreparePosition: r.Position},
		},
	}
}

// refusal says why an append was refused. Clients know it by its one detail;
// those that do not know the detail show the message.
func refusal(ctx context.Context, err error) *rpc.Status {
	var (
		wrong *journal.WrongExpected
		gone  *journal.StreamDeleted
		kept  *journal.Permanent
	)
	switch {
	case errors.As(err, &wrong):
		return refused(codes.AlreadyExists, "WrongExpectedVersion", wrongExpectedDetail(wrong))
	case errors.As(err, &gone):
		return refused(codes.NotFound, "StreamDeleted",
			&shared.StreamDeleted{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(gone.Stream)}})
	case errors.Is(err, errNotWritable):
		return refused(codes.PermissionDenied, "AccessDenied", &shared.AccessDenied{})
	case errors.As(err, &kept):
		return refused(codes.PermissionDenied, kept.Error(), &shared.AccessDenied{})
	case errors.Is(err, errTooLarge):
		return refused(codes.InvalidArgument, "MaximumAppendSizeExceeded", &shared.MaximumAppendSizeExceeded{MaxAppendSize: maxAppendBytes})
	case errors.Is(err, context.DeadlineExceeded):
		return refused(codes.DeadlineExceeded, "Timeout", &shared.Timeout{})
	}
	told := status.Convert(fail(ctx, err))
	if told.Code() == codes.InvalidArgument {
		return refused(told.Code(), told.Message(), &shared.BadRequest{Message: told.Message()})
	}
	return refused(told.Code(), told.Message(), &emptypb.Empty{})
}

func refused(code codes.Code, message string, detail proto.Message) *rpc.Status {
	s := &rpc.Status{Code: int32(code), Message: message}
	if packed, err := anypb.New(detail); err == nil {
		s.Details = []*anypb.Any{packed}
	}
	return s
}

func wrongExpectedDetail(w *journal.WrongExpected) *shared.WrongExpectedVersion {
	empty := &emptypb.Empty{}
	d := &shared.WrongExpectedVersion{
		CurrentStreamRevisionOption: &shared.WrongExpectedVersion_CurrentNoStream{CurrentNoStream: empty},
	}
	if w.Current >= 0 {
		d.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: uint64(w.Current)}
	}
	switch w.Expected {
	case journal.Any:
		d.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedAny{ExpectedAny: empty}
	case journal.StreamExists:
		d.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: empty}
	case journal.NoStream:
		d.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: empty}
	default:
		d.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamPosition{ExpectedStreamPosition: uint64(w.Expected)}
	}
	return d
}
