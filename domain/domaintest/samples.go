package domaintest

import (
	"fmt"
	"time"

	"portal.example/domain"
)

// ID is the nth id of a test.
func ID(n int) string {
	return fmt.Sprintf("00000000-0000-8000-8000-%012d", n)
}

// Noon is the moment at which tests begin.
var Noon = time.Date(2026, time.March, 14, 12, 0, 0, 0, time.UTC)

// Salt is the salt of a test's visits.
const Salt = "000102030405060708090a0b0c0d0e0f"

// The actors of tests.
var (
	Dana   = domain.Actor{Kind: domain.Contact, ID: ID(901)}
	Sam    = domain.Actor{Kind: domain.Staff, ID: ID(902)}
	AsDana = domain.Actor{Kind: domain.StaffAsContact, ID: ID(902), ActingFor: ID(901)}
	Robot  = domain.Actor{Kind: domain.Integration, ID: ID(903)}
)

// Visit is a visit by the actor.
func Visit(by domain.Actor, at time.Time) domain.Visit {
	return domain.Visit{By: by, Session: "session-of-" + string(by.Kind), Language: domain.English, Salt: Salt, At: at}
}
