package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
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

// timeReading returns events a second, and insists on the whole log.
func timeReading(
	ctx context.Context, lab *Lab, client *esdb.Client,
	read func(context.Context, *esdb.Client) (int, error),
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
		n += counted(event)
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
			n += counted(received.EventAppeared)
		}
	}
}

// counted is 1 for an event of ours and 0 for the server's own.
func counted(event *esdb.ResolvedEvent) int {
	if event.Event.EventType == eventType {
		return 1
	}
	return 0
}
