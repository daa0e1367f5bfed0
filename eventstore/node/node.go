// Package node is an event log for one machine that speaks EventStoreDB's gRPC
// protocol, so that a business can start with nothing to install and move to an
// EventStoreDB cluster by changing a connection string.
//
// It serves ServerFeatures, Gossip.Read and, of Streams, Read (a stream or $all,
// both directions, filters, catch-up subscriptions), Append, BatchAppend, Delete
// and Tombstone, and PersistentSubscriptions. Its storage is package journal.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/test/bufconn"

	"portal.example/eventstore/node/journal"
)

// Config says where a node keeps its log and whom it serves.
type Config struct {
	// Dir holds the log, the certificate authority, the credentials and
	// node.json.
	Dir string
	// Listen is host:port; port 0 takes a free one. By default 127.0.0.1:0.
	Listen string
	// Insecure serves plain text without credentials, on loopback only.
	Insecure bool
	// Unlisted keeps node.json unwritten, for a node that is gone before others
	// could make use of it.
	Unlisted bool
	// Permanent are categories (what stands before the first dash of a stream's
	// name) whose streams keep all of their events for ever: deletes and limits in
	// their metadata are refused, to the administrator too, and retention leaves
	// them alone.
	Permanent []string
	// AppendTimeout bounds how long a client may take to send one append, 10 s
	// by default.
	AppendTimeout time.Duration
	Logger        *slog.Logger
}

// ErrLocked says that another process serves the data folder.
var ErrLocked = journal.ErrLocked

// ErrListen says that a node cannot listen where it is told to.
var ErrListen = errors.New("listen address")

// ErrCategory says that a name in Config.Permanent is no category.
var ErrCategory = journal.ErrCategory

// Node is a running node.
type Node struct {
	dir     string
	listed  bool // node.json is this node's
	access  Access
	journal *journal.Journal
	groups  *persistentService
	server  *grpc.Server
	within  *bufconn.Listener // for its own process
	stop    context.CancelFunc
	log     *slog.Logger

	done     chan struct{} // closed when serving has ended
	serveErr error
}

// Start opens the log and serves it. It returns once clients can connect.
func Start(ctx context.Context, c Config) (*Node, error) {
	c = c.withDefaults()
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrListen, c.Listen, err)
	}
	if c.Insecure && !loopback(host) {
		return nil, fmt.Errorf("%w %q: an insecure node serves loopback addresses only", ErrListen, c.Listen)
	}
	var resolver net.Resolver
	if _, err := resolver.LookupPort(ctx, "tcp", port); err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrListen, c.Listen, err)
	}
	folder := filepath.Join(c.Dir, logName)
	if err := private(folder); err != nil {
		return nil, err
	}
	j, err := journal.Open(folder, journal.Options{Logger: c.Logger, Permanent: c.Permanent})
	if err != nil {
		return nil, err
	}
	// What a node, or a restore, that was killed has left.
	if err := errors.Join(removeCheckpoint(c.Dir), removeRestoring(c.Dir)); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	n, err := serve(ctx, c, host, j)
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return n, nil
}

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.AppendTimeout == 0 {
		c.AppendTimeout = 10 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func serve(ctx context.Context, c Config, host string, j *journal.Journal) (*Node, error) {
	access, options, err := secure(c, host)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, err
	}
	access.Address = reachable(listener.Addr())
	publish := access.write
	if c.Unlisted {
		publish = withdraw // what a node that was killed has left
	}
	if err := publish(c.Dir); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	alive, stop := context.WithCancel(context.WithoutCancel(ctx))
	n := &Node{
		dir:     c.Dir,
		listed:  !c.Unlisted,
		access:  access,
		journal: j,
		groups:  newPersistentService(alive, j, c.Logger),
		server:  newServer(newGuard(access), options),
		within:  bufconn.Listen(withinBuffer),
		stop:    stop,
		log:     c.Logger,
		done:    make(chan struct{}),
	}
	streams.RegisterStreamsServer(n.server, newStreamsService(alive, j, c.AppendTimeout))
	persistent.RegisterPersistentSubscriptionsServer(n.server, n.groups)
	serverfeatures.RegisterServerFeaturesServer(n.server, featuresService{})
	n.server.RegisterService(&checkpointServiceDesc, &checkpointService{journal: j, dir: c.Dir, alive: alive})
	gossip.RegisterGossipServer(n.server, gossipService{instance: uuid.New(), now: ticks})
	go func() {
		defer close(n.done)
		if err := n.server.Serve(netutil.LimitListener(listener, maxConnections)); !errors.Is(err, grpc.ErrServerStopped) {
			n.serveErr = err // nil too, where it was stopped after it had begun
		}
	}()
	go func() { _ = n.server.Serve(n.within) }() // ends with the server, and can fail of nothing else
	go n.watch(alive)
	c.Logger.Info("event log is served", "address", access.Address, "head", j.Head(), "insecure", c.Insecure)
	return n, nil
}

// watch stops serving where the disk no longer takes events: whoever runs the
// node sees it end, instead of a node that refuses for ever.
func (n *Node) watch(alive context.Context) {
	select {
	case <-n.journal.Failed():
		n.server.Stop()
	case <-alive.Done():
	}
}

func ticks() int64 { return int64(journal.TicksOf(time.Now())) }

// secure makes what lets clients in and keeps others out.
func secure(c Config, host string) (Access, []grpc.ServerOption, error) {
	if c.Insecure {
		c.Logger.Warn("INSECURE: no encryption and no credentials; every user of this machine can read and write the log")
		return Access{Insecure: true}, nil, nil
	}
	passwords, err := loadSecrets(c.Dir)
	if err != nil {
		return Access{}, nil, err
	}
	certificate, err := serverCertificate(c.Dir, host, time.Now())
	if err != nil {
		return Access{}, nil, err
	}
	ca, err := filepath.Abs(caPath(c.Dir))
	if err != nil {
		return Access{}, nil, err
	}
	return Access{
		CA:            ca,
		User:          applicationUser,
		Password:      passwords.Password,
		AdminUser:     administratorUser,
		AdminPassword: passwords.AdminPassword,
	}, []grpc.ServerOption{grpc.Creds(credentials.NewServerTLSFromCert(&certificate))}, nil
}

// reachable names a listener as clients on this machine can dial it.
func reachable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
	}
	if ok && tcp.IP.Equal(net.IPv6loopback) { // connection strings have no form for it
		return fmt.Sprintf("localhost:%d", tcp.Port)
	}
	return a.String()
}

const (
	// maxMessageBytes leaves room around the largest append for names and
	// framing: the limit itself is checked where it can be told properly.
	maxMessageBytes = 4 << 20
	// maxCalls bounds the calls under way on one connection, and
	// maxConnections the connections.
	maxCalls         = 20_000
	maxConnections   = 1024
	handshakeTimeout = 10 * time.Second
	writeBuffer      = 128 << 10
	// Fixed windows spare the estimates of the bandwidth that gRPC makes otherwise,
	// with a ping for nearly every message. The one of a call bounds what it can
	// leave lying here, bytes.
	callWindow       = 256 << 10
	connectionWindow = 1 << 20
	withinBuffer     = 256 << 10 // bytes on their way, each direction of a connection within the process

	// streamWorkers are goroutines whose stacks have grown already; calls beyond
	// them get goroutines of their own.
	streamWorkers = 64
)

func newServer(g *guard, options []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(options,
		grpc.ForceServerCodecV2(newCodec()),
		grpc.InTapHandle(g.admit),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.MaxConcurrentStreams(maxCalls),
		grpc.WriteBufferSize(writeBuffer),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.InitialWindowSize(callWindow),
		grpc.InitialConnWindowSize(connectionWindow),
		// EventStoreDB's clients ping every 10 s, busy or not.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}),
	)...)
}

// Dial connects to the node from within its own process, without a socket. What
// goes over the connection is the same as over the network, TLS and credentials
// included.
func (n *Node) Dial(ctx context.Context) (net.Conn, error) { return n.within.DialContext(ctx) }

// Addr is where the node listens, host:port.
func (n *Node) Addr() string { return n.access.Address }

// Access tells how to reach the node. It holds secrets.
func (n *Node) Access() Access { return n.access }

// ConnectionString is what the application connects with. It holds a secret.
func (n *Node) ConnectionString() string { return n.access.ConnectionString() }

// AdminConnectionString is what the administrator connects with. It holds a
// secret.
func (n *Node) AdminConnectionString() string { return n.access.AdminConnectionString() }

// closeGrace is how long calls under way may take to end by themselves.
const closeGrace = 3 * time.Second

// Close ends subscriptions, lets other calls finish for a moment, closes the log
// and takes node.json away.
func (n *Node) Close() error {
	n.stop()
	late := time.AfterFunc(closeGrace, n.server.Stop)
	n.server.GracefulStop()
	late.Stop()
	<-n.done
	n.groups.wait()
	err := errors.Join(n.serveErr, n.unlist(), n.journal.Close())
	n.log.Info("event log is closed", "address", n.access.Address)
	return err
}

// unlist takes node.json away while the folder is still this node's.
func (n *Node) unlist() error {
	if !n.listed {
		return nil
	}
	n.listed = false
	return withdraw(n.dir)
}

// Room tells how much room the log has on its disk, as of a moment ago.
func (n *Node) Room() journal.Room { return n.journal.Room() }

// Done is closed when the node has stopped serving, whether asked to or not.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err is why the node stopped by itself, once Done is closed.
func (n *Node) Err() error { return errors.Join(n.serveErr, n.journal.Err()) }
