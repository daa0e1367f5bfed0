// Package storetest holds one conformance suite for EventStoreDB's streams:
// what a client may rely on, written once and run against any server that
// speaks the protocol, the embedded node as well as EventStoreDB itself, so
// that a misreading on either side shows.
//
// The suite speaks through the official Go client, and through the generated
// gRPC stubs where the client cannot say a thing or hides the answer. It makes
// its own streams under names that are new in every run, and never assumes
// that $all is empty, so it can be repeated on a server that lives long. It
// leaves its streams behind.
//
// The behaviour is that of EventStoreDB 24.6. Where EventStoreDB answers bad
// input with the status Unknown because an exception went unhandled, the suite
// accepts InvalidArgument as well: both are refusals, one is merely politer.
package storetest
