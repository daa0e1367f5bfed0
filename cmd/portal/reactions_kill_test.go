package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/pubsub"
)

// reactionKills says how many rounds of kill -9 there are, such as 100.
const reactionKills = "PORTAL_SOAK_REACTION_KILLS"

// Quotes are sent all the time while consumers, portals and the node are killed,
// one after the other. In the end every quote that was sent has expired once; and
// the reaction that eight consumers compete for has handled each of them, its
// effect once, or has parked it with its reason.
func TestReactionsSurviveKills(t *testing.T) {
	t.Parallel()
	c := newChaos(t)
	sender := &crowd{t: t, token: c.owner, urls: c.urls, limit: 2 * time.Second, mayBeOff: true, done: tally{refused: map[string]int{}}}
	enough := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() { c.sendQuotes(sender, enough) })
	random := rand.New(rand.NewPCG(4, uint64(time.Now().UnixNano())))
	for round := range c.rounds() {
		before := c.sentSoFar()
		switch round % 3 {
		case 0:
			c.killConsumer(random.IntN(len(c.consumers)))
		case 1:
			c.killPortal(random.IntN(len(c.portals)))
		default:
			c.killNode()
		}
		c.until("quotes are sent again", time.Minute, func() bool { return c.sentSoFar() > before+3 })
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	close(enough)
	sending.Wait()
	c.settle()
}

// chaos is a site whose parts are killed.
type chaos struct {
	*site
	nodeArgs  []string
	node      *process
	portals   []*process
	urls      []string
	consumers []*process
	nodeKills []kill

	mu   sync.Mutex
	sent []string // ids of quotes that the customer holds
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	args := []string{"node", "--data", t.TempDir(), "--insecure", "--listen"}
	running, log := watched().startUntil(t, "event log at ", nil, append(args, "127.0.0.1:0")...)
	address := strings.TrimPrefix(log, "esdb://")
	address, _, _ = strings.Cut(address, "?")
	c := &chaos{node: running, nodeArgs: append(args, address)}
	c.site = newSite(t, watched(), migratedDatabase(t), "PORTAL_EVENTSTORE="+log, "PORTAL_DATA="+t.TempDir())
	c.connect(log)
	c.open()
	for range 2 {
		portal, url := c.serve()
		c.portals, c.urls = append(c.portals, portal), append(c.urls, url)
	}
	for range 8 {
		c.consumers = append(c.consumers, c.consume())
	}
	return c
}

func (c *chaos) rounds() int {
	c.t.Helper()
	said := os.Getenv(reactionKills)
	if said == "" {
		return 6
	}
	n, err := strconv.Atoi(said)
	if err != nil || n < 1 {
		c.t.Fatalf("%s=%q: not a number of rounds", reactionKills, said)
	}
	return n
}

func (c *chaos) killConsumer(i int) {
	c.consumers[i].kill()
	c.consumers[i] = c.consume()
}

func (c *chaos) killPortal(i int) {
	c.portals[i].kill()
	listen := "PORTAL_LISTEN=" + strings.TrimPrefix(c.urls[i], "http://")
	c.portals[i], _ = c.program.startUntil(c.t, "portal at ", slices.Concat(c.env, []string{listen}), "serve")
}

func (c *chaos) killNode() {
	before := c.head()
	c.node.kill()
	c.node, _ = watched().startUntil(c.t, "event log at ", nil, c.nodeArgs...)
	c.nodeKills = append(c.nodeKills, kill{before, c.head()})
}

// kill is one of the node: where the log ended before it, and some time after it.
type kill struct{ before, after eventstore.Position }

func (c *chaos) head() eventstore.Position {
	c.t.Helper()
	head, err := c.log.Head(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return head
}

// sendQuotes sends quotes that expire soon, each until it is known whether it was
// sent.
func (c *chaos) sendQuotes(sender *crowd, enough <-chan struct{}) {
	ctx := c.t.Context()
	customer := sender.insist(ctx, "/customers", `{"name":"Dana Reyes"}`)
	for customer != nil && going(ctx, enough) {
		expires := time.Now().Add(2 * time.Second).UTC().Format(time.RFC3339Nano)
		quote := sender.insist(ctx, "/quotes", fmt.Sprintf(`{"customerId":%q,"reference":"Q","currency":"EUR","offer":%s,"expiresAt":%q}}`,
			customer["id"], strings.TrimSuffix(offer, "}"), expires))
		if quote == nil {
			return
		}
		id := fmt.Sprint(quote["id"])
		if c.sendInTime(ctx, sender, id) {
			c.mu.Lock()
			c.sent = append(c.sent, id)
			c.mu.Unlock()
		}
	}
}

// sendInTime is false where the offer had expired before it could be sent.
func (c *chaos) sendInTime(ctx context.Context, sender *crowd, id string) bool {
	key := uuid.NewString()
	for attempt := 0; ctx.Err() == nil; attempt++ {
		_, taken, err := sender.ask(ctx, sender.urls[attempt%len(sender.urls)]+"/api/v1/quotes/"+id+"/send", "", key)
		switch {
		case err != nil && strings.Contains(err.Error(), "quote_expired"):
			return false
		case err != nil:
			c.t.Errorf("sending: %v", err)
			return false
		case taken:
			return true
		}
	}
	return false
}

func (c *chaos) sentSoFar() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sent)
}

// outcome is what the log has to say in the end.
type outcome struct {
	sent    map[string]uuid.UUID // QuoteSent, by quote
	expired map[string]int       // QuoteExpired, by quote
	handled map[uuid.UUID]int    // effects, by the event that led to them
	parked  map[uuid.UUID][]link // by event: one for each time that it was parked
}

// link is one of the log to a parked event.
type link struct {
	reason string
	at     eventstore.Position
}

// settle waits until everything has come to its end, and looks at it.
func (c *chaos) settle() {
	c.t.Helper()
	var o outcome
	// A job of a portal that was killed with it is run again after three minutes.
	c.until("all is handled or parked, and expired", 5*time.Minute, func() bool {
		o = c.look()
		return len(o.expired) == len(o.sent) && len(o.handled)+len(o.parked) >= len(o.sent)
	})
	for _, quote := range c.sent {
		if _, found := o.sent[quote]; !found {
			c.t.Errorf("quote %s was sent, and the log does not have it", quote)
		}
	}
	again := 0
	for quote, event := range o.sent {
		if n := o.expired[quote]; n != 1 {
			c.t.Errorf("quote %s expired %d times", quote, n)
		}
		links := o.parked[event]
		switch handled := o.handled[event]; {
		case poisonous(event) && (len(links) == 0 || handled != 0 || !strings.Contains(links[0].reason, "poison")):
			c.t.Errorf("poison: handled %d times, parked %v", handled, links)
		case !poisonous(event) && (len(links) > 0 || handled != 1):
			c.t.Errorf("event %s: handled %d times, parked %v", event, handled, links)
		}
		for i := range links[min(1, len(links)):] {
			again++
			if !c.nodeKilledBetween(links[i].at, links[i+1].at) {
				c.t.Errorf("event %s is parked twice, and the log was not killed in between: %v", event, links)
			}
		}
	}
	if events := len(o.handled) + len(o.parked); events != len(o.sent) {
		c.t.Errorf("%d events are accounted for, %d were sent", events, len(o.sent))
	}
	c.t.Logf("%d quotes were sent; of the events %d were handled and %d parked, these with %d links too many after %d kills of the node",
		len(o.sent), len(o.handled), len(o.parked), again, len(c.nodeKills))
}

// nodeKilledBetween tells whether the node was killed after one position was written
// and before another: between writing a link and noting how far the group is. Then
// the event is parked again: at least once, here as well.
func (c *chaos) nodeKilledBetween(one, other eventstore.Position) bool {
	return slices.ContainsFunc(c.nodeKills, func(k kill) bool {
		return one.Compare(k.after) <= 0 && k.before.Compare(other) < 0
	})
}

func (c *chaos) look() outcome {
	c.t.Helper()
	o := outcome{map[string]uuid.UUID{}, map[string]int{}, map[uuid.UUID]int{}, map[uuid.UUID][]link{}}
	group, err := pubsub.GroupOf(pubsub.TypeTopic("QuoteSent"), consumerGroup)
	if err != nil {
		c.t.Fatal(err)
	}
	for e, err := range c.log.ReadAll(c.t.Context(), eventstore.Start()) {
		if err != nil {
			c.t.Fatal(err)
		}
		id := strings.TrimPrefix(e.Stream, "quote-")
		switch {
		case e.Type == "QuoteSent":
			o.sent[id] = e.ID
		case e.Type == "QuoteExpired":
			o.expired[id]++
		case e.Type == "Handled":
			o.handled[uuid.MustParse(strings.TrimPrefix(e.Stream, "effect-"))]++
		case e.Stream == group.ParkedStream():
			_, quote, _ := strings.Cut(string(e.Data), "@quote-")
			o.parked[o.sent[quote]] = append(o.parked[o.sent[quote]], link{string(e.Metadata), e.Position})
		}
	}
	return o
}
