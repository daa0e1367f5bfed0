package pubsub

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/uuid"
	stored "github.com/segmentio/encoding/json"

	"portal.example/eventstore"
)

// Marshaler turns messages into events.
type Marshaler interface {
	// Marshal makes the event that is appended to the stream of the topic.
	Marshal(topic string, msg *message.Message) (eventstore.Proposed, error)
}

// Unmarshaler turns events into messages.
type Unmarshaler interface {
	// Unmarshal makes the message that is delivered. An event that it fails for
	// is parked, and the error is the reason.
	Unmarshal(event eventstore.Recorded) (*message.Message, error)
}

// The names in a message's metadata that mean something to DefaultMarshaler.
const (
	// NameKey is for the type of the event. It is what Watermill's cqrs
	// component uses, too.
	NameKey = "name"
	// CorrelationKey is for $correlationId in the event's metadata. Watermill's
	// middleware.CorrelationID passes it on.
	CorrelationKey = middleware.CorrelationIDMetadataKey
	// CausationKey is for $causationId, the id of the event that led to this
	// one. The middleware CausationID sets it.
	CausationKey = "causation_id"
)

// DefaultEventType is the type of events made from messages without a name.
const DefaultEventType = "message"

// uuidKey keeps a message's UUID that is not the event's id. Adapters of other
// brokers use it likewise.
const uuidKey = "_watermill_message_uuid"

const (
	correlationID = "$correlationId"
	causationID   = "$causationId"
)

// DefaultMarshaler keeps a message's payload as the event's data, told to be JSON
// where it is, and its metadata as an object of JSON in the event's metadata, where
// the correlation and the causation have EventStoreDB's names. Its UUID is the
// event's id; from one that is no UUID an id is derived, and for one that is empty
// an id is made up.
//
// Events that others have appended become messages likewise: what is no string in
// their metadata is there as JSON, and metadata that is no JSON object is left out.
type DefaultMarshaler struct{}

// idSpace is the name space of ids that are derived.
var idSpace = uuid.MustParse("b3c40a2e-6d4b-4f0a-9d59-0f6c1c7f8f5e")

// Marshal makes an event of a message.
func (DefaultMarshaler) Marshal(_ string, msg *message.Message) (eventstore.Proposed, error) {
	id := idOf(msg.UUID)
	metadata := make(map[string]string, len(msg.Metadata))
	maps.Copy(metadata, msg.Metadata)
	delete(metadata, NameKey)
	delete(metadata, uuidKey)
	if msg.UUID != "" && msg.UUID != id.String() {
		metadata[uuidKey] = msg.UUID
	}
	rename(metadata, CorrelationKey, correlationID)
	rename(metadata, CausationKey, causationID)
	for key, value := range metadata {
		if !utf8.ValidString(key) || !utf8.ValidString(value) { // JSON would hold something else
			return eventstore.Proposed{}, fmt.Errorf("metadata %q: not UTF-8", key)
		}
	}
	encoded, err := json.Marshal(metadata)
	if err != nil {
		return eventstore.Proposed{}, err
	}
	eventType := msg.Metadata.Get(NameKey)
	if eventType == "" {
		eventType = DefaultEventType
	}
	return eventstore.Proposed{
		ID: id, Type: eventType,
		Data: msg.Payload, Binary: !json.Valid(msg.Payload),
		Metadata: encoded,
	}, nil
}

// rename leaves out what is empty: the middleware that passes a correlation on
// does so also where there is none.
func rename(metadata map[string]string, from, to string) {
	if value := metadata[from]; value != "" {
		metadata[to] = value
	}
	delete(metadata, from)
}

func idOf(messageUUID string) uuid.UUID {
	if messageUUID == "" {
		return uuid.New()
	}
	if id, err := uuid.Parse(messageUUID); err == nil && id != uuid.Nil {
		return id
	}
	return uuid.NewHash(sha256.New(), idSpace, []byte(messageUUID), 8)
}

// Unmarshal makes a message of an event.
func (DefaultMarshaler) Unmarshal(event eventstore.Recorded) (*message.Message, error) {
	msg := message.NewMessage(event.ID.String(), event.Data)
	var fields map[string]stored.RawMessage
	if stored.Unmarshal(event.Metadata, &fields) == nil {
		for key, value := range fields {
			text, err := textOf(value)
			if err != nil {
				return nil, fmt.Errorf("metadata %q: %w", key, err)
			}
			msg.Metadata[messageKey(key)] = text
		}
	}
	if original := msg.Metadata.Get(uuidKey); original != "" {
		msg.UUID = original
		delete(msg.Metadata, uuidKey)
	}
	msg.Metadata[NameKey] = event.Type
	return msg, nil
}

func textOf(value stored.RawMessage) (text string, err error) {
	if len(value) == 0 || value[0] != '"' {
		return string(value), nil
	}
	err = stored.Unmarshal(value, &text)
	return text, err
}

func messageKey(key string) string {
	switch key {
	case correlationID:
		return CorrelationKey
	case causationID:
		return CausationKey
	default:
		return key
	}
}
