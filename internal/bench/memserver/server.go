// Package memserver is the ceiling that the log's server is held against: it
// speaks just enough of EventStoreDB's protocol for the benchmark's client to
// append and to read, keeps everything in memory and promises nothing.
package memserver

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// Options say how the server keeps its events.
type Options struct {
	// Encoded keeps each event as the bytes that go over the wire, encoded when
	// it is appended: reading costs the server next to nothing, and what is
	// left is the limit of the client. Otherwise events are kept as messages,
	// which gRPC marshals whenever they are read.
	Encoded bool
}

// Server listens on loopback until it is closed.
type Server struct {
	grpc     *grpc.Server
	listener net.Listener
	ca       []byte
}

// Start serves an empty log over TLS with a certificate made for the occasion.
func Start(ctx context.Context, options Options) (*Server, error) {
	certificate, ca, err := selfSigned()
	if err != nil {
		return nil, fmt.Errorf("memserver: certificate: %w", err)
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("memserver: %w", err)
	}
	server := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{
			Certificates: []tls.Certificate{certificate},
			MinVersion:   tls.VersionTLS12,
		})),
		grpc.ForceServerCodecV2(codec{}),
		// The client pings every ten seconds, which gRPC's default takes for abuse.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: time.Second, PermitWithoutStream: true,
		}),
	)
	streams.RegisterStreamsServer(server, newService(options))
	go func() { _ = server.Serve(listener) }() // returns when the server is stopped
	return &Server{grpc: server, listener: listener, ca: ca}, nil
}

// Addr is where the server listens, host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// CA is the certificate in PEM that clients have to trust.
func (s *Server) CA() []byte { return s.ca }

// Close ends every connection at once. It returns no error; the signature is
// that of other servers.
func (s *Server) Close() error {
	s.grpc.Stop()
	return nil
}
