package eventstore_test

import (
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"portal.example/eventstore"
)

func TestSilenceIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	server := &fake{
		read:   func(_ *streams.ReadReq_Options, call streams.Streams_ReadServer) error { return silent(call) },
		append: func(call streams.Streams_AppendServer) error { return silent(call) },
	}
	deaf := func() string { // accepts connections and never says a word
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		return listener.Addr().String()
	}
	for name, address := range map[string]string{"server": server.serve(t), "socket": deaf()} {
		client := connectWith(t, eventstore.Config{ConnectionString: insecure(address), Timeout: 50 * time.Millisecond})
		for name2, call := range map[string]func() error{
			"append": func() error {
				_, err := client.Append(t.Context(), "counter-1", eventstore.Any(), event(0))
				return err
			},
			"read": func() error { return drain(client.ReadStream(t.Context(), "counter-1", 0)) },
			"head": func() error { _, err := client.Head(t.Context()); return err },
		} {
			t.Run(name+"/"+name2, func(t *testing.T) {
				t.Parallel()
				if err := call(); !errors.Is(err, eventstore.ErrUnavailable) {
					t.Errorf("got %v, want ErrUnavailable", err)
				}
			})
		}
	}
}

func TestSilentConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	server := &fake{
		read: func(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
			if calls.Add(1) == 1 {
				return silent(call)
			}
			if o.GetSubscription() == nil {
				return sendEvents(call, 1, 1)
			}
			if err := errors.Join(confirm(call), sendEvents(call, 1, 1)); err != nil {
				return err
			}
			return silent(call)
		},
		append: func(call streams.Streams_AppendServer) error {
			if calls.Add(1) == 1 {
				return silent(call)
			}
			return appended(call, 0)
		},
	}
	address := server.serve(t)
	for name, try := range map[string]func(*eventstore.Client) error{
		"append": func(c *eventstore.Client) error {
			_, err := c.Append(patience(t), "counter-1", eventstore.NoStream(), event(0))
			return err
		},
		"read": func(c *eventstore.Client) error { return drain(c.ReadStream(patience(t), "counter-1", 0)) },
		"subscription": func(c *eventstore.Client) error {
			s := c.Subscribe(t.Context(), eventstore.SubscribeOptions{})
			defer s.Close()
			_, err := s.NextBatch(patience(t), 1)
			return err
		},
	} {
		calls.Store(0)
		cable := layCable(t)
		cable.plug(address)
		client := connectWith(t, eventstore.Config{ConnectionString: insecure(cable.addr()), Timeout: 50 * time.Millisecond})
		if err := try(client); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if calls.Load() < 2 || cable.connections() < 2 {
			t.Errorf("%s: %d calls over %d connections", name, calls.Load(), cable.connections())
		}
	}
}
