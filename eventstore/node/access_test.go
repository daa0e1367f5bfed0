package node_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"portal.example/eventstore/node"
)

// codeOf is the code of an error of the esdb client.
func codeOf(err error) esdb.ErrorCode {
	var known *esdb.Error
	if errors.As(err, &known) {
		return known.Code()
	}
	return esdb.ErrorCode(-1)
}

func TestStrangersCanNeitherReadNorAppend(t *testing.T) {
	t.Parallel()
	n := start(t, node.Config{})
	owner := connect(t, n.ConnectionString())
	if _, err := owner.AppendToStream(t.Context(), "s-1", esdb.AppendToStreamOptions{}, proposed("A")); err != nil {
		t.Fatal(err)
	}
	secret := n.Access().Password
	for name, connection := range map[string]string{
		"wrong password": strings.Replace(n.ConnectionString(), secret, "guess", 1),
		"unknown user":   strings.Replace(n.ConnectionString(), "portal:", "nobody:", 1),
		"no credentials": strings.Replace(n.ConnectionString(), "portal:"+secret+"@", "", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := connect(t, connection)
			_, err := client.AppendToStream(t.Context(), "s-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, proposed("B"))
			if !refusedToStranger(err) {
				t.Errorf("append: %v", err)
			}
			read, err := client.ReadAll(t.Context(), esdb.ReadAllOptions{}, 10)
			if err == nil {
				_, err = read.Recv()
				read.Close()
			}
			if code := codeOf(err); code != esdb.ErrorCodeUnauthenticated {
				t.Errorf("read: %v", err)
			}
			if types := typesOf(t, owner, "s-1"); !slices.Equal(types, []string{"A"}) {
				t.Errorf("after the stranger's append the stream has %v", types)
			}
		})
	}
}

// refusedToStranger says whether an append failed for want of credentials. The
// node refuses it by its headers, unread, so that the refusal may overtake what
// the client is still sending. gRPC's Send says no more than io.EOF then: the
// status is to be had from Recv, which the esdb client does not ask.
func refusedToStranger(err error) bool {
	return codeOf(err) == esdb.ErrorCodeUnauthenticated || errors.Is(err, io.EOF)
}

// typesOf are the types of a stream's events.
func typesOf(t *testing.T, client *esdb.Client, stream string) (types []string) {
	t.Helper()
	read, err := client.ReadStream(t.Context(), stream, esdb.ReadStreamOptions{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	for {
		e, err := read.Recv()
		if errors.Is(err, io.EOF) {
			return types
		}
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, e.Event.EventType)
	}
}

func TestPlainTextIsRefusedByASecureNode(t *testing.T) {
	t.Parallel()
	n := start(t, node.Config{})
	conn, err := grpc.NewClient(n.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	call, err := streams.NewStreamsClient(conn).Read(t.Context(), &streams.ReadReq{})
	if err == nil {
		_, err = call.Recv()
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("a read in plain text: %v", err)
	}
}

func TestOnlyTheAdministratorWritesToSystemStreams(t *testing.T) {
	t.Parallel()
	n := start(t, node.Config{})
	client, admin := connect(t, n.ConnectionString()), connect(t, n.AdminConnectionString())
	options := esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}
	for _, stream := range []string{"$settings", "$$$settings", "$persistentsubscription-x-parked"} {
		if _, err := client.AppendToStream(t.Context(), stream, options, proposed("A")); codeOf(err) != esdb.ErrorCodeAccessDenied {
			t.Errorf("append to %s: %v", stream, err)
		}
		if _, err := admin.AppendToStream(t.Context(), stream, options, proposed("A")); err != nil {
			t.Errorf("the administrator's append to %s: %v", stream, err)
		}
		if strings.HasPrefix(stream, "$$") {
			continue // no metadata is deleted by itself
		}
		if _, err := client.DeleteStream(t.Context(), stream, esdb.DeleteStreamOptions{}); codeOf(err) != esdb.ErrorCodeAccessDenied {
			t.Errorf("delete of %s: %v", stream, err)
		}
		if _, err := client.TombstoneStream(t.Context(), stream, esdb.TombstoneStreamOptions{}); codeOf(err) != esdb.ErrorCodeAccessDenied {
			t.Errorf("tombstone of %s: %v", stream, err)
		}
	}
	if _, err := client.AppendToStream(t.Context(), "$$quote-1", options, proposed("$metadata")); err != nil {
		t.Errorf("metadata of an ordinary stream: %v", err)
	}
}

func TestSecretsAreReadableByTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	n := start(t, node.Config{Dir: dir})
	for _, name := range []string{"node.json", "credentials.json", "ca-key.pem"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o", name, info.Mode().Perm())
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "log")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the log's folder: %v, %v", info.Mode(), err)
	}
	found, err := node.Discover(dir)
	if err != nil || found != n.Access() {
		t.Errorf("node.json says %v, %v", found, err)
	}
	if err := os.Chmod(filepath.Join(dir, "node.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Discover(dir); err == nil || !strings.Contains(err.Error(), "0644") {
		t.Errorf("a node.json for all to read: %v", err)
	}
}

func TestCredentialsOutliveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n, err := node.Start(t.Context(), node.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	first := n.Access()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Discover(dir); !errors.Is(err, node.ErrNoNode) {
		t.Errorf("after Close, node.json: %v", err)
	}
	again := start(t, node.Config{Dir: dir, Listen: first.Address})
	if again.Access() != first {
		t.Error("the restarted node is reached by other credentials")
	}
	if _, err := connect(t, first.ConnectionString()).AppendToStream(t.Context(), "s-1", esdb.AppendToStreamOptions{}, proposed("A")); err != nil {
		t.Errorf("a client with the old connection string: %v", err)
	}
}

func TestInsecureNodeStaysOnLoopback(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0"} {
		if n, err := node.Start(t.Context(), node.Config{Dir: t.TempDir(), Listen: listen, Insecure: true}); err == nil {
			t.Errorf("%s: served", listen)
			_ = n.Close()
		}
	}
}

func TestSecondNodeOnAFolderIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := start(t, node.Config{Dir: dir})
	_, err := node.Start(t.Context(), node.Config{Dir: dir})
	if !errors.Is(err, node.ErrLocked) || strings.Contains(err.Error(), "\n") {
		t.Errorf("a second node: %v", err)
	}
	if found, err := node.Discover(dir); err != nil || found != n.Access() {
		t.Errorf("the refusal touched node.json: %v", err)
	}
}

func TestPortInUseLeavesTheFolderFree(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	taken, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	if _, err := node.Start(t.Context(), node.Config{Dir: dir, Listen: taken.Addr().String()}); err == nil {
		t.Fatal("served on a port in use")
	}
	start(t, node.Config{Dir: dir})
}

// The way in for the node's own process asks for the same.
func TestStrangersWithinTheProcessAreRefused(t *testing.T) {
	t.Parallel()
	n := start(t, node.Config{})
	within := grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return n.Dial(ctx) })
	ca, err := credentials.NewClientTLSFromFile(n.Access().CA, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		transport credentials.TransportCredentials
		want      codes.Code
	}{
		"no credentials": {ca, codes.Unauthenticated},
		"plain text":     {insecure.NewCredentials(), codes.Unavailable},
	} {
		conn, err := grpc.NewClient(n.Addr(), within, grpc.WithTransportCredentials(test.transport))
		if err != nil {
			t.Fatal(err)
		}
		batch, err := streams.NewStreamsClient(conn).BatchAppend(t.Context())
		if err == nil {
			_, err = batch.Recv()
		}
		if status.Code(err) != test.want {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}
