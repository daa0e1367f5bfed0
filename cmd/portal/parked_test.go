package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os/user"
	"strings"
	"testing"
	"time"

	"portal.example/domain/parked"
	"portal.example/eventstore"
)

// quoteGroup stands for a reaction to quotes that are sent.
var quoteGroup = eventstore.Group{Name: "quote-mail:QuoteSent"}

// mailer is a reaction in the hand of a test.
type mailer struct {
	t        *testing.T
	consumer *eventstore.Consumer
}

func newMailer(t *testing.T, client *eventstore.Client) mailer {
	t.Helper()
	err := client.CreateGroup(t.Context(), quoteGroup, eventstore.GroupSettings{Filter: eventstore.TypePrefix("QuoteSent")})
	if err != nil {
		t.Fatal(err)
	}
	c := client.Consume(t.Context(), quoteGroup, eventstore.ConsumeOptions{})
	t.Cleanup(func() { c.Close(context.Background()) })
	return mailer{t, c}
}

// next is the next event that the reaction is to deal with.
func (m mailer) next() eventstore.Delivery {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	d, err := m.consumer.Next(ctx)
	if err != nil {
		m.t.Fatal(err)
	}
	return d
}

// What a reaction has parked is listed, shown, tried again and given up, beside a
// running portal, and what was given up is in the business's timeline.
func TestParkedMessages(t *testing.T) {
	cfg := config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)}
	t.Setenv("PORTAL_DATA", cfg.data)
	t.Setenv("PORTAL_EVENTSTORE", "")
	p := serveWith(t, cfg)
	mail := newMailer(t, p.server.log)
	dana := p.customer("everything")
	var quotes []string
	for _, reason := range []string{
		"no address", "panic occurred: \"boom\", stacktrace: \ngoroutine 7 [running]:\n\tmail.go:12", "refused\x1b[2J", "the last one",
	} {
		quotes = append(quotes, "quote-"+p.sentQuote(dana.id))
		d := mail.next()
		d.Park(reason)
	}
	count := func(want int) []map[string]any {
		t.Helper()
		var list []map[string]any
		until(t, "as many are parked", func() bool {
			list = items(t, "parked", "list", quoteGroup.Name)
			return len(list) == want
		})
		return list
	}

	list := count(4)
	numbers := make([]string, len(list))
	for i, item := range list {
		numbers[i] = json.Number(strings.TrimSpace(jsonText(t, item["number"]))).String()
		if item["stream"] != quotes[i] || item["revision"] != 1.0 {
			t.Errorf("parked: %v", item)
		}
	}
	groups := map[any]map[string]any{}
	for _, g := range items(t, "parked", "list") {
		groups[g["group"]] = g
	}
	mine, other := groups[quoteGroup.Name], groups["quote-expiry:QuoteSent"]
	if mine["parked"] != 4.0 || mine["oldest"] == nil || other["parked"] != 0.0 {
		t.Errorf("groups: %v", groups)
	}

	// Shown: reason and stack apart, nothing that a terminal would obey, nothing opened.
	var shown struct {
		Reason, Stack string
		Event         eventLine
	}
	out, _ := told(t, exitOK, "parked", "show", quoteGroup.Name, numbers[1], "--json")
	if err := json.Unmarshal([]byte(out), &shown); err != nil || shown.Reason != `panic occurred: "boom"` ||
		!strings.Contains(shown.Stack, "mail.go:12") || shown.Event.Type != "QuoteSent" || shown.Event.Stream != quotes[1] {
		t.Errorf("shown %s: %v", out, err)
	}
	out, _ = told(t, exitOK, "parked", "show", quoteGroup.Name, numbers[2])
	if strings.Contains(out, "\x1b") || !strings.Contains(out, "refused") || !strings.Contains(out, "QuoteSent") {
		t.Errorf("shown %q", out)
	}

	// The oldest one is tried again, and dealt with this time.
	_, errs := told(t, exitFailed, "parked", "retry", quoteGroup.Name, numbers[1])
	if !strings.Contains(errs, "--up-to "+numbers[1]) {
		t.Errorf("said %q", errs)
	}
	told(t, exitOK, "parked", "retry", quoteGroup.Name, numbers[0])
	if d := mail.next(); d.Event.Stream != quotes[0] {
		t.Errorf("%s came again", d.Event.Stream)
	} else {
		d.Ack()
	}
	count(3)

	// The next two are given up.
	out, _ = told(t, exitOK, "parked", "discard", quoteGroup.Name, "--up-to", numbers[2], "--reason", "A test made them.", "--json")
	if strings.TrimSpace(out) != `{"discarded":2}` {
		t.Errorf("said %s", out)
	}
	if left := count(1); left[0]["stream"] != quotes[3] {
		t.Errorf("left: %v", left)
	}
	discarded := p.discarded()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if len(discarded) != 2 || discarded[0].Stream != quotes[1] || discarded[1].Stream != quotes[2] ||
		discarded[0].Reason != "A test made them." || discarded[0].By != me.Username || discarded[0].EventID != shown.Event.ID.String() {
		t.Errorf("recorded %+v", discarded)
	}
	until(t, "the timeline tells", func() bool {
		answer := p.send(http.MethodGet, "/api/v1/timeline", p.office, "")
		return strings.Count(answer.text, "An operator discarded what quote-mail:QuoteSent could not do about QuoteSent") == 2
	})

	// What is left is tried again, and only that.
	told(t, exitOK, "parked", "retry", quoteGroup.Name, "--all")
	if d := mail.next(); d.Event.Stream != quotes[3] {
		t.Errorf("%s came again", d.Event.Stream)
	} else {
		d.Ack()
	}
	count(0)
	out, _ = told(t, exitOK, "parked", "retry", quoteGroup.Name, "--all")
	if out != "0 to be tried again\n" {
		t.Errorf("said %q", out)
	}
}

// discarded are the decisions that the log has, in its order.
func (p *running) discarded() (list []parked.Discarded) {
	p.t.Helper()
	for e, err := range p.server.log.ReadAll(p.t.Context(), eventstore.Start()) {
		if err != nil {
			p.t.Fatal(err)
		}
		if e.Type != "ParkedMessageDiscarded" {
			continue
		}
		var d parked.Discarded
		if err := json.Unmarshal(e.Data, &d); err != nil {
			p.t.Fatal(err)
		}
		list = append(list, d)
	}
	return list
}

func jsonText(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Groups of a stream, too, and what the log itself has parked.
func TestParkedByTheLog(t *testing.T) {
	client := servedLog(t)
	group := eventstore.Group{Stream: "mail-1", Name: "postman"}
	if err := client.CreateGroup(t.Context(), group, eventstore.GroupSettings{MaxRetries: 1}); err != nil {
		t.Fatal(err)
	}
	appendTo(t, client, "mail-1", eventstore.Proposed{Type: "MailSent", Data: []byte(`{}`)})
	consumer := client.Consume(t.Context(), group, eventstore.ConsumeOptions{})
	m := mailer{t, consumer}
	for range 2 {
		d := m.next()
		d.Retry()
	}
	var list []map[string]any
	until(t, "it is parked", func() bool {
		list = items(t, "parked", "list", "mail-1::postman")
		return len(list) == 1
	})
	if list[0]["attempts"] != 2.0 || list[0]["stream"] != "mail-1" {
		t.Errorf("parked: %v", list)
	}
	for range 2 { // the second one has nothing to do
		told(t, exitOK, "parked", "discard", "mail-1::postman", "--all", "--reason", "It is a test.")
	}
	if left := items(t, "parked", "list"); len(left) != 1 || left[0]["parked"] != 0.0 || left[0]["oldest"] != nil {
		t.Errorf("left: %v", left)
	}

	told(t, exitFailed, "parked", "list", "nobody")
	told(t, exitFailed, "parked", "show", "mail-1::postman", "0")
	told(t, exitMisused, "parked", "discard", "mail-1::postman", "--all", "--reason", "two\nlines")
	for _, wrong := range []string{
		"parked", "parked frobnicate", "parked list a b", "parked show g", "parked show g x", "parked retry", "parked retry g",
		"parked retry g 1 --all", "parked retry g -1", "parked discard g 1", "parked discard g --up-to x --reason r",
	} {
		var errs bytes.Buffer
		if status := run(t.Context(), strings.Fields(wrong), io.Discard, &errs); status != exitMisused {
			t.Errorf("%s: status %d: %s", wrong, status, errs.String())
		}
	}
	for _, help := range []string{"parked", "parked list", "parked show", "parked retry", "parked discard", "events tail", "events export"} {
		if out, _ := told(t, exitOK, append(strings.Fields(help), "--help")...); !strings.Contains(out, "Exit status") {
			t.Errorf("%s --help: %s", help, out)
		}
	}
}
