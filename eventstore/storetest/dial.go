package storetest

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// dialLeader connects to the one server that a connection string names, or to
// the leader of the cluster that it names.
func dialLeader(ctx context.Context, config *esdb.Configuration) (*grpc.ClientConn, error) {
	seeds := []string{config.Address}
	if len(config.GossipSeeds) > 0 {
		seeds = nil
		for _, seed := range config.GossipSeeds {
			seeds = append(seeds, seed.String())
		}
	} else if !config.DnsDiscover {
		return dial(config, config.Address)
	}
	var failures []error
	for _, seed := range seeds {
		leader, err := findLeader(ctx, config, seed)
		if err == nil {
			return dial(config, leader)
		}
		failures = append(failures, fmt.Errorf("seed %s: %w", seed, err))
	}
	return nil, errors.Join(failures...)
}

func findLeader(ctx context.Context, config *esdb.Configuration, seed string) (string, error) {
	conn, err := dial(config, seed)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	cluster, err := gossip.NewGossipClient(conn).Read(authorised(ctx, config), &shared.Empty{})
	if err != nil {
		return "", err
	}
	for _, m := range cluster.GetMembers() {
		if m.GetIsAlive() && m.GetState() == gossip.MemberInfo_Leader {
			return net.JoinHostPort(m.GetHttpEndPoint().GetAddress(), strconv.Itoa(int(m.GetHttpEndPoint().GetPort()))), nil
		}
	}
	return "", errors.New("its gossip names no live leader")
}

func dial(config *esdb.Configuration, address string) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if !config.DisableTLS {
		transport = credentials.NewTLS(tlsConfig(config))
	}
	return grpc.NewClient(address,
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(17<<20)))
}

// tlsConfig trusts what the connection string says, as the client does.
func tlsConfig(config *esdb.Configuration) *tls.Config {
	return &tls.Config{
		RootCAs:            config.RootCAs,
		InsecureSkipVerify: config.SkipCertificateVerification, //nolint:gosec // tlsVerifyCert=false in the connection string asks for it
		MinVersion:         tls.VersionTLS12,
	}
}

// authorised says who calls, as the client does.
func authorised(ctx context.Context, config *esdb.Configuration) context.Context {
	if config.DisableTLS || config.Username == "" {
		return ctx
	}
	account := base64.StdEncoding.EncodeToString([]byte(config.Username + ":" + config.Password))
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Basic "+account)
}
