package node

import (
	"context"
	"net"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"google.golang.org/grpc/peer"
)

// compatibleVersion is the release of EventStoreDB whose protocol the node
// speaks. Clients decide by it what to ask for.
const compatibleVersion = "24.6.0"

const persistentSubscriptions = "event_store.client.persistent_subscriptions.persistentsubscriptions"

// featuresService tells clients what the node can do. What is not listed is
// answered Unimplemented.
type featuresService struct {
	serverfeatures.UnimplementedServerFeaturesServer
}

func (featuresService) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	methods := &serverfeatures.SupportedMethods{EventStoreServerVersion: compatibleVersion}
	for service, names := range map[string][]string{
		"event_store.client.streams.streams": {"read", "append", "batchappend", "delete", "tombstone"},
		persistentSubscriptions: {
			"create", "update", "delete", "read", "getinfo", "list", "replayparked", "restartsubsystem",
		},
		"event_store.client.gossip.gossip":                  {"read"},
		"event_store.client.server_features.serverfeatures": {"getsupportedmethods"},
	} {
		for _, name := range names {
			method := &serverfeatures.SupportedMethod{ServiceName: service, MethodName: name}
			switch {
			case service == persistentSubscriptions:
				method.Features = []string{"stream", "all"}
			case name == "batchappend": // a deadline may be said as a duration
				method.Features = []string{"deadline_duration"}
			}
			methods.Methods = append(methods.Methods, method)
		}
	}
	return methods, nil
}

// gossipService describes the smallest of clusters to clients that look for a
// leader: this node, at the address by which the client has reached it.
type gossipService struct {
	gossip.UnimplementedGossipServer
	instance uuid.UUID
	now      func() int64 // 100 ns ticks since the Unix epoch
}

func (g gossipService) Read(ctx context.Context, _ *shared.Empty) (*gossip.ClusterInfo, error) {
	endpoint := &gossip.EndPoint{}
	if p, ok := peer.FromContext(ctx); ok && p.LocalAddr != nil {
		if host, port, err := net.SplitHostPort(p.LocalAddr.String()); err == nil {
			n, _ := strconv.ParseUint(port, 10, 16)
			endpoint.Address, endpoint.Port = host, uint32(n)
		}
	}
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
		InstanceId:   &shared.UUID{Value: &shared.UUID_String_{String_: g.instance.String()}},
		TimeStamp:    g.now(),
		State:        gossip.MemberInfo_Leader,
		IsAlive:      true,
		HttpEndPoint: endpoint,
	}}}, nil
}
