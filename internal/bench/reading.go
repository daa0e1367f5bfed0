package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"portal.example/eventstore"
)

// readLimit is how long reading the whole log may take.
const readLimit = 5 * time.Minute

// reading is the side that fills a server of that kind and reads the whole log,
// once by ReadAll and once by a subscription.
func reading(lab *Lab, name, kind string) *Side {
	return &Side{Name: name, Measure: func(ctx context.Context) (Sample, error) {
		return lab.withServer(ctx, startHere, kind, func(s *server) (Sample, error) {
			if _, err := fill(ctx, s.client, lab.payloads, lab.Read, func(int) {}); err != nil {
				return nil, err
			}
			all, err1 := timeReading(ctx, lab, s.client, readAll)
			caughtUp, err2 := timeReading(ctx, lab, s.client, catchUp)
			return Sample{ReadAll: all, CatchUp: caughtUp}, errors.Join(err1, err2)
		})
	}}
}

// readingByPortal is the same on the node, by the portal's wrapper.
func readingByPortal(lab *Lab, name string) *Side {
	return &Side{Name: name, Measure: func(ctx context.Context) (Sample, error) {
		return lab.withServer(ctx, startHere, embeddedNode, func(s *server) (Sample, error) {
			if _, err := fill(ctx, s.client, lab.payloads, lab.Read, func(int) {}); err != nil {
				return nil, err
			}
			client, err := s.portal()
			if err != nil {
				return nil, err
			}
			all, err1 := timeReading(ctx, lab, client, readAllByPortal)
			caughtUp, err2 := timeReading(ctx, lab, client, catchUpByPortal)
			return Sample{ReadAll: all, CatchUp: caughtUp}, errors.Join(err1, err2, client.Close())
		})
	}}
}

// timeReading returns events a second, and insists on the whole log.
func timeReading[Client any](
	ctx context.Context, lab *Lab, client Client,
	read func(context.Context, Client) (int, error),
) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	started := time.Now()
	n, err := read(ctx, client)
	took := time.Since(started)
	if err != nil {
		return 0, err
	}
	if n != lab.Read {
		return 0, fmt.Errorf("%d events read of %d", n, lab.Read)
	}
	return float64(n) / took.Seconds(), nil
}

func readAll(ctx context.Context, client *esdb.Client) (n int, err error) {
	stream, err := client.ReadAll(ctx, esdb.ReadAllOptions{From: esdb.Start{}}, 1<<62)
	if err != nil {
		return 0, err
	}
	defer stream.Close()
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n += counted(event.Event.EventType)
	}
}

func catchUp(ctx context.Context, client *esdb.Client) (n int, err error) {
	subscription, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		return 0, err
	}
	defer subscription.Close()
	for {
		received := subscription.Recv()
		switch {
		case received.SubscriptionDropped != nil:
			return n, received.SubscriptionDropped.Error
		case received.CaughtUp != nil:
			return n, nil
		case received.EventAppeared != nil:
			n += counted(received.EventAppeared.Event.EventType)
		}
	}
}

func readAllByPortal(ctx context.Context, client *eventstore.Client) (n int, err error) {
	for event, err := range client.ReadAll(ctx, eventstore.Start()) {
		if err != nil {
			return n, err
		}
		n += counted(event.Type)
	}
	return n, nil
}

func catchUpByPortal(ctx context.Context, client *eventstore.Client) (n int, err error) {
	subscription := client.Subscribe(ctx, eventstore.SubscribeOptions{})
	defer subscription.Close()
	for {
		batch, err := subscription.NextBatch(ctx, 4096)
		if err != nil {
			return n, err
		}
		for i := range batch {
			switch batch[i].Kind {
			case eventstore.EventAppeared:
				n += counted(batch[i].Event.Type)
			case eventstore.CaughtUp:
				return n, nil
			case eventstore.CheckpointReached, eventstore.FellBehind:
			}
		}
	}
}

// counted is 1 for an event of ours and 0 for the server's own.
func counted(t string) int {
	if t == eventType {
		return 1
	}
	return 0
}
