package storetest

import (
	"slices"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"
)

func featureTests() []test {
	return []test{
		{"the version is three numbers", versionIsThreeNumbers},
		{"services and methods are advertised in lower case", advertisedLowerCase},
		{"what this suite uses is advertised", usedIsAdvertised},
		{"what is not advertised is unimplemented", unadvertisedIsUnimplemented},
		{"a service that nobody has is unimplemented", unknownService},
		{"gossip names one live leader", gossipNamesLeader},
	}
}

func (h *harness) features() *serverfeatures.SupportedMethods {
	h.Helper()
	got, err := serverfeatures.NewServerFeaturesClient(h.conn).GetSupportedMethods(authorised(h.ctx, h.config), &shared.Empty{})
	if err != nil {
		h.Fatal(err)
	}
	return got
}

// The Go client gives up on a server whose version it cannot take apart.
func versionIsThreeNumbers(h *harness) {
	version := h.features().GetEventStoreServerVersion()
	parts := strings.Split(version, ".")
	if len(parts) != 3 {
		h.Fatalf("version %q", version)
	}
	for _, part := range parts {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			h.Fatalf("version %q", version)
		}
	}
}

func advertisedLowerCase(h *harness) {
	for _, m := range h.features().GetMethods() {
		if full := m.GetServiceName() + "/" + m.GetMethodName(); full != strings.ToLower(full) {
			h.Errorf("%s", full)
		}
	}
}

func (h *harness) advertised() []string {
	h.Helper()
	var names []string
	for _, m := range h.features().GetMethods() {
		names = append(names, m.GetServiceName()+"/"+m.GetMethodName())
	}
	return names
}

func usedIsAdvertised(h *harness) {
	advertised := h.advertised()
	for _, method := range []string{"read", "append", "batchappend", "delete", "tombstone"} {
		if !slices.Contains(advertised, "event_store.client.streams.streams/"+method) {
			h.Errorf("%s is not advertised", method)
		}
	}
}

// Only what is not advertised is called, so nothing comes of it.
func unadvertisedIsUnimplemented(h *harness) {
	advertised := h.advertised()
	// These are never advertised to clients that look for features, and are
	// there all the same on some servers.
	exempt := []string{"event_store.client.server_features.serverfeatures/getsupportedmethods", "event_store.client.gossip.gossip/read"}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			if !strings.HasPrefix(string(service.FullName()), "event_store.client.") {
				continue
			}
			for j := range service.Methods().Len() {
				method := service.Methods().Get(j)
				lower := strings.ToLower(string(service.FullName()) + "/" + string(method.Name()))
				if slices.Contains(advertised, lower) || slices.Contains(exempt, lower) {
					continue
				}
				full := "/" + string(service.FullName()) + "/" + string(method.Name())
				if err := h.call(full, method.IsStreamingClient(), method.IsStreamingServer()); status.Code(err) != codes.Unimplemented {
					h.Errorf("%s: %v, want Unimplemented", full, err)
				}
			}
		}
		return true
	})
}

// call calls a method with an empty message.
func (h *harness) call(method string, clientStreams, serverStreams bool) error {
	call, err := h.conn.NewStream(authorised(h.ctx, h.config),
		&grpc.StreamDesc{ClientStreams: clientStreams, ServerStreams: serverStreams}, method)
	if err != nil {
		return err
	}
	// An error in sending comes back from receiving, with its reason.
	_ = call.SendMsg(&emptypb.Empty{})
	_ = call.CloseSend()
	return call.RecvMsg(&emptypb.Empty{})
}

func unknownService(h *harness) {
	if err := h.call("/event_store.client.nobody.Nobody/Read", false, false); status.Code(err) != codes.Unimplemented {
		h.Fatalf("%v, want Unimplemented", err)
	}
}

func gossipNamesLeader(h *harness) {
	cluster, err := gossip.NewGossipClient(h.conn).Read(authorised(h.ctx, h.config), &shared.Empty{})
	if err != nil {
		h.Fatal(err)
	}
	leaders := 0
	for _, m := range cluster.GetMembers() {
		if !m.GetIsAlive() || m.GetState() != gossip.MemberInfo_Leader {
			continue
		}
		leaders++
		if m.GetHttpEndPoint().GetAddress() == "" || m.GetHttpEndPoint().GetPort() == 0 {
			h.Errorf("the leader's address is %v", m.GetHttpEndPoint())
		}
	}
	if leaders != 1 {
		h.Fatalf("%d live leaders among %d members", leaders, len(cluster.GetMembers()))
	}
}
