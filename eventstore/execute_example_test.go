package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
)

// An aggregate in one sitting: the booking of a hall with few seats.

// BookingEvent is what can happen to a booking. Its implementations are stored.
type BookingEvent interface{ isBookingEvent() }

type Opened struct {
	Seats int       `json:"seats"`
	At    time.Time `json:"at"`
}

type Reserved struct {
	ContactID string `json:"contactId"`
	Name      string `json:"name" personal:"ContactID"`
	Seats     int    `json:"seats"`
}

func (Opened) isBookingEvent()   {}
func (Reserved) isBookingEvent() {}

// BookingTypes are the stored names.
var BookingTypes = map[string]BookingEvent{
	"BookingOpened":   Opened{},
	"BookingReserved": Reserved{},
}

// Booking is the state: no more than decisions need.
type Booking struct {
	Open bool
	Left int
}

func (b Booking) Evolve(event BookingEvent) Booking {
	switch e := event.(type) {
	case Opened:
		b.Open, b.Left = true, e.Seats
	case Reserved:
		b.Left -= e.Seats
	}
	return b
}

var ErrSoldOut = errors.New("sold out")

// Open and Reserve are the commands.
type Open struct {
	Seats int
	At    time.Time
}

func (c Open) Decide(b Booking) ([]BookingEvent, error) {
	if b.Open {
		return nil, nil // said before: nothing new
	}
	return []BookingEvent{Opened{Seats: c.Seats, At: c.At}}, nil
}

type Reserve struct {
	ContactID, Name string
	Seats           int
}

func (c Reserve) Decide(b Booking) ([]BookingEvent, error) {
	if c.Seats > b.Left {
		return nil, ErrSoldOut
	}
	return []BookingEvent{Reserved{ContactID: c.ContactID, Name: c.Name, Seats: c.Seats}}, nil
}

// What main composes, once.
func composeBookings(log eventstore.Log, keys eventstore.Keyring) (*eventstore.Category[Booking, BookingEvent], error) {
	codec, err := eventstore.NewCodec(keys, eventstore.Events(BookingTypes)...)
	if err != nil {
		return nil, err
	}
	return eventstore.NewCategory[Booking, BookingEvent]("booking", log, codec, 10_000)
}

// What a request brings along.
func request(operation, key string) (eventstore.Metadata, error) {
	dana := eventstore.Actor{Kind: eventstore.ActorContact, ID: "dana"}
	command, err := eventstore.CommandID("acme", dana, operation, key)
	return eventstore.Metadata{
		CommandID:   command,
		Fingerprint: eventstore.NewFingerprint([]byte("secret"), []byte(operation)),
		Business:    "acme",
		Operation:   operation,
		Actor:       dana,
		IP:          "203.0.113.7",
		Origin:      eventstore.OriginLive,
		RecordedAt:  time.Date(2026, 3, 14, 20, 42, 0, 0, time.UTC),
	}, err
}

func ExampleCategory_Execute() {
	bookings, err := composeBookings(newMemoryLog(), codectest.NewKeyring())
	if err != nil {
		fmt.Println(err)
		return
	}
	stream := bookings.Stream("hall-7")

	give := func(key string, cmd eventstore.Command[Booking, BookingEvent]) {
		m, err := request(fmt.Sprintf("%T", cmd), key)
		if err != nil {
			fmt.Println(err)
			return
		}
		result, err := bookings.Execute(context.Background(), stream, m, cmd)
		switch {
		case err != nil:
			fmt.Println("refused:", err)
		case result.NothingNew():
			fmt.Println("nothing new;", result.State.Left, "seats left")
		default:
			fmt.Printf("%T at revision %d; %d seats left\n", result.Events[0], result.Last, result.State.Left)
		}
	}
	give("a", Open{Seats: 5})
	give("b", Open{Seats: 9})
	give("c", Reserve{ContactID: "dana", Name: "Dana Reyes", Seats: 2})
	give("d", Reserve{ContactID: "dana", Name: "Dana Reyes", Seats: 2}) // another two
	give("c", Reserve{ContactID: "dana", Name: "Dana Reyes", Seats: 2}) // a repeat, answered as the first
	give("e", Reserve{ContactID: "lee", Name: "Lee", Seats: 2})
	// Output:
	// eventstore_test.Opened at revision 0; 5 seats left
	// nothing new; 5 seats left
	// eventstore_test.Reserved at revision 1; 3 seats left
	// eventstore_test.Reserved at revision 2; 1 seats left
	// eventstore_test.Reserved at revision 1; 3 seats left
	// refused: sold out
}
