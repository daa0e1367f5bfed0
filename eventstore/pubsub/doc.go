// Package pubsub lets Watermill (https://watermill.io) publish to and subscribe
// from EventStoreDB, or the embedded node of package node. It depends on package
// eventstore and on Watermill, and on nothing else of this program: use it by
// itself wherever there is an EventStoreDB.
//
// A Publisher appends messages as events to the stream that the topic names. A
// Subscriber takes part in a persistent subscription, the group of which is named
// by its configuration:
//
//	topic            whose events
//	quote-1042       of this stream
//	type:QuoteSent   of this type, in the whole log
//
// Subscribers of one group share the messages out among them; each group gets all
// of them. Delivery is at least once and in no order that can be relied on.
//
// # Answers
//
// Ack ends the matter. Nack has the message delivered again, at once, and parked
// after GroupSettings.MaxRetries. Park sets it aside immediately, for a reason that
// is kept; ParkOnError does so, in a Router, with what a handler fails with. Parked
// messages wait in the group's stream Group.ParkedStream for somebody to look at
// them, and eventstore.Client.ReplayParked delivers them again. A message that is
// not answered within GroupSettings.MessageTimeout is delivered again.
//
// # Messages and events
//
// What stands in a message as UUID, payload and metadata comes back as it was,
// see DefaultMarshaler; the name of a message (metadata "name", which Watermill's
// cqrs component sets) is the type of the event. Delivered has the event itself.
//
// Publishing a message again under its UUID to the same stream is taken for a
// repeat and changes nothing, as far back as the log remembers.
//
// # Several at a time
//
// A Subscriber hands out up to SubscriberConfig.InFlight messages before the first
// of them is answered, and Watermill's Router handles as many at the same time. One
// message at a time is InFlight: 1.
package pubsub
