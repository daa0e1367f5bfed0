// Package group decides what happens in one persistent subscription: which
// event goes to which consumer, what is tried again, what is parked, and up to
// where everything is done. Consumers of a group compete for its events; each
// event is delivered at least once, in no promised order.
//
// It decides and does nothing else: it reads no log, starts no goroutine and
// looks at no clock. Whoever runs a group adds events, passes on what consumers
// say, and writes down what is to be parked and where to go on from.
//
// The rules are those of EventStoreDB 24.6, but for five, all of which keep
// events that it can lose:
//
//   - A checkpoint covers only events that are done. Those still waiting for a
//     pinned consumer count as unfinished, and so does a parked one until its
//     link is on disk.
//   - Parked messages that are replayed leave the parked stream when they are
//     done, not when they have been read.
//   - A link that cannot be written is tried again for as long as it takes.
//     EventStoreDB gives up after some attempts, and with that the event.
//   - Nack with Stop ends the consumer's subscription and its events go to
//     others; EventStoreDB leaves the consumer and takes the event for done.
//   - An id that a stream holds twice is in flight once at a time, since
//     acknowledgements name ids.
package group
