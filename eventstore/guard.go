package eventstore

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// The esdb client ends the whole process on an event without a readable
// creation time, panics in a goroutine of its own on an address in gossip that
// is none, and takes an empty answer to an append for success. It offers no
// place to look at an answer first, so the look is taken where gRPC decodes
// it: there a bad answer becomes an ordinary error of the one call.
func init() {
	encoding.RegisterCodecV2(guard{encoding.GetCodecV2(proto.Name)})
}

// guard is gRPC's codec, except that answers the esdb client cannot survive do
// not pass.
type guard struct{ encoding.CodecV2 }

func (g guard) Unmarshal(data mem.BufferSlice, message any) error {
	if err := g.CodecV2.Unmarshal(data, message); err != nil {
		return err
	}
	switch answer := message.(type) {
	case *streams.ReadResp:
		if event := answer.GetEvent(); event != nil {
			return checkRead(event.Event, event.Link)
		}
	case *persistent.ReadResp:
		if event := answer.GetEvent(); event != nil {
			return checkRead(event.Event, event.Link)
		}
	case *streams.AppendResp:
		if answer.GetResult() == nil {
			return errors.New("answer to an append without a result")
		}
	case *gossip.ClusterInfo:
		return checkMembers(answer.GetMembers())
	}
	return nil
}

// wireEvent is an event as either reading service sends it.
type wireEvent interface {
	comparable
	GetStreamIdentifier() *shared.StreamIdentifier
	GetStreamRevision() uint64
	GetMetadata() map[string]string
}

func checkRead[E wireEvent](event, link E) error {
	var none E
	if event == none && link == none {
		return errors.New("answer to a read without its event")
	}
	for _, e := range []E{event, link} {
		if e == none {
			continue
		}
		if e.GetStreamIdentifier() == nil {
			return errors.New("event without a stream")
		}
		// 100 ns ticks since the Unix epoch
		if _, err := strconv.ParseInt(e.GetMetadata()["created"], 10, 64); err != nil {
			return fmt.Errorf("event %d of stream %q: creation time: %w",
				e.GetStreamRevision(), e.GetStreamIdentifier().GetStreamName(), err)
		}
	}
	return nil
}

func checkMembers(members []*gossip.MemberInfo) error {
	for _, member := range members {
		address := member.GetHttpEndPoint().GetAddress()
		if _, err := url.Parse("dns:///" + address); err != nil { // as gRPC does to dial it
			return fmt.Errorf("gossip: member address: %w", err)
		}
	}
	return nil
}
