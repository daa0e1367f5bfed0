package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"portal.example/eventstore/node/journal"
)

// The node's own service, which is none of EventStoreDB's and is not told to its
// clients. The administrator calls Checkpoint to have a copy of the log made in
// the data folder. The answer is the copy's name there; the copy is there until
// the caller ends the call. A caller names no path, and so has nothing written
// or read that it could not get at by itself.
const (
	serviceName      = "portal.node.Log"
	checkpointMethod = "Checkpoint"
	checkpointName   = "checkpoint"
)

// checkpointLimit is how long a node may take for a copy: it writes out what it has
// in memory and links files.
const checkpointLimit = time.Minute

type checkpointService struct {
	journal *journal.Journal
	dir     string
	alive   context.Context //nolint:containedctx // ends when the node stops
	one     sync.Mutex
}

var checkpointServiceDesc = grpc.ServiceDesc{
	ServiceName: serviceName,
	HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{
		StreamName:    checkpointMethod,
		ServerStreams: true,
		Handler: func(service any, call grpc.ServerStream) error {
			return service.(*checkpointService).checkpoint(call)
		},
	}},
}

func (s *checkpointService) checkpoint(call grpc.ServerStream) error {
	ctx, cancel := context.WithCancel(call.Context())
	defer cancel()
	defer context.AfterFunc(s.alive, cancel)()
	if err := call.RecvMsg(&emptypb.Empty{}); err != nil {
		return err
	}
	if !isAdmin(ctx) {
		return accessDenied(ctx, "checkpoint: only the administrator makes one")
	}
	if !s.one.TryLock() {
		return status.Error(codes.FailedPrecondition, "checkpoint: a backup is under way already")
	}
	defer s.one.Unlock()
	if err := removeCheckpoint(s.dir); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	defer func() { _ = removeCheckpoint(s.dir) }() // or else at the next start
	if err := s.journal.Checkpoint(ctx, filepath.Join(s.dir, checkpointName)); err != nil {
		return fail(ctx, err)
	}
	if err := call.SendMsg(wrapperspb.String(checkpointName)); err != nil {
		return err
	}
	<-ctx.Done()
	if s.alive.Err() != nil {
		return errStopping
	}
	return nil
}

// removeCheckpoint takes away a copy of the log that is in use no more. Only who
// has the data folder's lock may.
func removeCheckpoint(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, checkpointName)); err != nil {
		return fmt.Errorf("remove a checkpoint: %w", err)
	}
	return nil
}

// checkpoint has the node that serves a data folder make a copy of its log, and
// returns the copy's folder. It is taken away when done is called. A node that gives
// no answer within the limit is not waited for.
func checkpoint(ctx context.Context, a Access, dir string, limit time.Duration) (folder string, done func(), err error) {
	transport := insecure.NewCredentials()
	if !a.Insecure {
		if transport, err = credentials.NewClientTLSFromFile(a.CA, ""); err != nil {
			return "", nil, fmt.Errorf("the node's certificate authority: %w", err)
		}
	}
	connection, err := grpc.NewClient(a.Address, grpc.WithTransportCredentials(transport))
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(ctx,
		"authorization", "Basic "+basic(a.AdminUser, a.AdminPassword)))
	done = func() {
		cancel()
		_ = connection.Close() // nothing is to come of it any more
	}
	late := time.AfterFunc(limit, cancel)
	name, err := askForCheckpoint(ctx, connection)
	if !late.Stop() { // a copy that is there all the same goes again
		done()
		return "", nil, fmt.Errorf("the node at %s has not answered within %s", a.Address, limit)
	}
	if err != nil {
		done()
		return "", nil, fmt.Errorf("the node at %s: %s", a.Address, status.Convert(err).Message())
	}
	return filepath.Join(dir, name), done, nil
}

func askForCheckpoint(ctx context.Context, connection *grpc.ClientConn) (name string, err error) {
	call, err := connection.NewStream(ctx, &checkpointServiceDesc.Streams[0], "/"+serviceName+"/"+checkpointMethod)
	if err != nil {
		return "", err
	}
	// Where sending fails, receiving tells why.
	if err := call.SendMsg(&emptypb.Empty{}); err != nil && err != io.EOF { //nolint:errorlint // gRPC returns it bare
		return "", err
	}
	if err := call.CloseSend(); err != nil {
		return "", err
	}
	var answer wrapperspb.StringValue
	if err := call.RecvMsg(&answer); err != nil {
		return "", err
	}
	if answer.GetValue() != checkpointName {
		return "", fmt.Errorf("it named the copy %q", answer.GetValue())
	}
	return answer.GetValue(), nil
}
