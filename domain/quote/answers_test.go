package quote_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portal.example/domain"
	"portal.example/domain/domaintest"
	"portal.example/domain/quote"
)

func TestApprove(t *testing.T) {
	t.Parallel()
	open := events{drafted(), sent(1, 61000)}
	superseded := events{drafted(), sent(1, 61000), revised(2), sent(2, 54900)}
	late := approved(t, nil, 61000)
	late.At = expiry
	other := domain.Actor{Kind: domain.Contact, ID: domaintest.ID(8)}
	domaintest.Run(t, []decision{
		{Name: "an offer", Given: open, When: approve(1, domaintest.Dana, at), Then: events{approved(t, nil, 61000)}},
		{
			Name: "with an option", Given: open,
			When: approve(1, domaintest.Dana, at, "filter"), Then: events{approved(t, []string{"filter"}, 64660)},
		},
		{Name: "at the last instant", Given: open, When: approve(1, domaintest.Dana, expiry), Then: events{late}},
		{Name: "too late", Given: open, When: approve(1, domaintest.Dana, expiry.Add(1)), Refused: quote.ErrExpired},
		{Name: "a superseded version", Given: superseded, When: approve(1, domaintest.Dana, at), Refused: quote.ErrSuperseded},
		{
			Name: "a version that is being revised", Given: append(open, revised(2)),
			When: approve(1, domaintest.Dana, at), Then: events{approved(t, nil, 61000)},
		},
		{
			Name: "a version that was never sent", Given: append(open, revised(2)),
			When: approve(2, domaintest.Dana, at), Faults: []string{"version: unknown_version"},
		},
		{
			Name: "a version that there never was", Given: open,
			When: approve(-1, domaintest.Dana, at), Faults: []string{"version: unknown_version"},
		},
		{
			Name: "after asking for changes", Given: append(open, changesRequested()),
			When: approve(1, domaintest.Dana, at), Then: events{approved(t, nil, 61000)},
		},
		{Name: "again", Given: append(open, approved(t, nil, 61000)), When: approve(1, domaintest.Dana, expiry.Add(1))},
		{
			Name: "again with other options", Given: append(open, approved(t, nil, 61000)),
			When: approve(1, domaintest.Dana, at, "filter"), Refused: quote.ErrApproved,
		},
		{
			Name: "what another contact approved", Given: append(open, approved(t, nil, 61000)),
			When: approve(1, other, at), Refused: quote.ErrApproved,
		},
		{Name: "what was declined", Given: append(open, declined()), When: approve(1, domaintest.Dana, at), Refused: quote.ErrDeclined},
		{Name: "by staff", Given: open, When: approve(1, domaintest.Sam, at), Refused: domain.ErrOnlyContact},
		{Name: "by staff as the contact", Given: open, When: approve(1, domaintest.AsDana, at), Refused: domain.ErrOnlyContact},
		{Name: "a draft", Given: events{drafted()}, When: approve(1, domaintest.Dana, at), Refused: quote.ErrNotFound},
		{Name: "nothing", When: approve(1, domaintest.Dana, at), Refused: quote.ErrNotFound},
		{
			Name: "with options that there are not", Given: open, When: approve(1, domaintest.Dana, at, "pump", "filter", "filter"),
			Faults: []string{"options[0]: not_an_option", "options[2]: not_an_option"},
		},
		{
			Name: "without a signature", Given: open, When: quote.Approve{Visit: domaintest.Visit(domaintest.Dana, at), Version: 1},
			Faults: []string{"signedName: required", "consentVersion: required"},
		},
	})
}

func TestASupersededApprovalIsShownWhatChanged(t *testing.T) {
	t.Parallel()
	q := domain.Fold(quote.State{}, events{drafted(), sent(1, 61000), revised(2), sent(2, 54900)}...)
	_, err := approve(1, domaintest.Dana, at).Decide(q)
	refusal, _ := errors.AsType[*domain.Error](err)
	want := quote.Superseded{Version: 1, Current: 2, Changes: []quote.Change{
		{Field: "lines[pump].unitPrice", From: euros(40000), To: euros(35000)},
	}}
	if diff := cmp.Diff(any(want), refusal.Details); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnExpiredApprovalIsShownWhen(t *testing.T) {
	t.Parallel()
	q := domain.Fold(quote.State{}, events{drafted(), sent(1, 61000)}...)
	_, err := approve(1, domaintest.Dana, expiry.Add(time.Hour)).Decide(q)
	refusal, _ := errors.AsType[*domain.Error](err)
	if diff := cmp.Diff(any(quote.Expiry{Version: 1, ExpiredAt: expiry}), refusal.Details); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecline(t *testing.T) {
	t.Parallel()
	open := events{drafted(), sent(1, 61000)}
	decline := quote.Decline{By: domaintest.Dana, Version: 1, Reason: "Too dear.", At: at}
	byStaff := decline
	byStaff.By = domaintest.Sam
	domaintest.Run(t, []decision{
		{Name: "an offer", Given: open, When: decline, Then: events{declined()}},
		{Name: "again", Given: append(open, declined()), When: decline, Refused: quote.ErrDeclined},
		{Name: "what was approved", Given: append(open, approved(t, nil, 61000)), When: decline, Refused: quote.ErrApproved},
		{Name: "a superseded version", Given: append(open, revised(2), sent(2, 54900)), When: decline, Refused: quote.ErrSuperseded},
		{Name: "by staff", Given: open, When: byStaff, Refused: domain.ErrOnlyContact},
		{Name: "a draft", Given: events{drafted()}, When: decline, Refused: quote.ErrNotFound},
		{
			Name: "without a reason", Given: open,
			When: quote.Decline{By: domaintest.Dana, Version: 1, At: at}, Faults: []string{"reason: required"},
		},
		{
			Name: "too late", Given: open,
			When:    quote.Decline{By: domaintest.Dana, Version: 1, Reason: "No.", At: expiry.Add(1)},
			Refused: quote.ErrExpired,
		},
	})
}

func TestRequestChanges(t *testing.T) {
	t.Parallel()
	open := events{drafted(), sent(1, 61000)}
	request := quote.RequestChanges{By: domaintest.Dana, Version: 1, Text: "Cheaper?", At: at}
	byStaff := request
	byStaff.By = domaintest.AsDana
	domaintest.Run(t, []decision{
		{Name: "of an offer", Given: open, When: request, Then: events{changesRequested()}},
		{Name: "of what was declined", Given: append(open, declined()), When: request, Refused: quote.ErrDeclined},
		{Name: "of a superseded version", Given: append(open, revised(2), sent(2, 54900)), When: request, Refused: quote.ErrSuperseded},
		{Name: "by staff as the contact", Given: open, When: byStaff, Refused: domain.ErrOnlyContact},
		{Name: "of a draft", Given: events{drafted()}, When: request, Refused: quote.ErrNotFound},
		{
			Name: "which are none", Given: open,
			When: quote.RequestChanges{By: domaintest.Dana, Version: 1}, Faults: []string{"text: required"},
		},
	})
}

func TestQuestions(t *testing.T) {
	t.Parallel()
	open := events{drafted(), sent(1, 61000)}
	ask := quote.AskQuestion{By: domaintest.Dana, QuestionID: question, Version: 1, Text: "When?", At: at}
	answer := quote.AnswerQuestion{QuestionID: question, Text: "In May.", At: at}
	byStaff := ask
	byStaff.By = domaintest.Sam
	answered := quote.QuestionAnswered{CustomerID: customer, QuestionID: question, Text: "In May.", At: at}
	domaintest.Run(t, []decision{
		{Name: "ask", Given: open, When: ask, Then: events{asked()}},
		{Name: "ask again", Given: append(open, asked()), When: ask},
		{Name: "ask about an old version", Given: append(open, revised(2), sent(2, 54900)), When: ask, Then: events{asked()}},
		{Name: "ask after approving", Given: append(open, approved(t, nil, 61000)), When: ask, Then: events{asked()}},
		{Name: "ask one more than a hundred", Given: hundredQuestions(), When: ask, Refused: quote.ErrQuestions},
		{Name: "ask as staff", Given: open, When: byStaff, Refused: domain.ErrOnlyContact},
		{Name: "ask about a draft", Given: events{drafted()}, When: ask, Refused: quote.ErrNotFound},
		{
			Name: "ask nothing about nothing", Given: append(open, revised(2)),
			When:   quote.AskQuestion{By: domaintest.Dana, Version: 2},
			Faults: []string{"questionId: not_an_id", "text: required", "version: unknown_version"},
		},
		{Name: "answer", Given: append(open, asked()), When: answer, Then: events{answered}},
		{Name: "answer again", Given: append(open, asked(), answered), When: answer, Then: events{answered}},
		{Name: "answer what nobody asked", Given: open, When: answer, Refused: quote.ErrNoQuestion},
		{Name: "answer about nothing", When: answer, Refused: quote.ErrNotFound},
		{
			Name: "answer nothing", Given: append(open, asked()),
			When: quote.AnswerQuestion{QuestionID: question}, Faults: []string{"text: required"},
		},
	})
}

func hundredQuestions() events {
	given := events{drafted(), sent(1, 61000)}
	for n := range 100 {
		another := asked()
		another.QuestionID = domaintest.ID(1000 + n)
		given = append(given, another)
	}
	return given
}

// Whatever happens to a quote and in whatever order: only the version held last
// is ever approved, once, in time; a version once given to an offer stays its;
// and what the customer holds was sent.
func TestWhateverHappens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		history := events{drafted()}
		now, approvals := at, 0
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 24).Draw(t, "hours")) * time.Hour)
			q := domain.Fold(quote.State{}, history...)
			happened, err := anyCommand(t, q, now).Decide(q)
			if _, refused := errors.AsType[*domain.Error](err); err != nil && !refused {
				t.Fatalf("not a refusal: %v", err)
			}
			for _, event := range happened {
				if e, ok := event.(quote.Approved); ok {
					approvals++
					if e.Version != q.Held || q.Expired(e.At) {
						t.Fatalf("approved version %d while %d was held until %s: %s", e.Version, q.Held, q.HeldOffer().ExpiresAt, e.At)
					}
				}
			}
			history = append(history, happened...)
			after := domain.Fold(quote.State{}, history...)
			if after.Version < q.Version || after.Held < q.Held || after.Held > after.Version {
				t.Fatalf("version %d, held %d became version %d, held %d", q.Version, q.Held, after.Version, after.Held)
			}
			if diff := cmp.Diff(q.HeldOffer(), after.Offers[q.Held]); q.Held > 0 && diff != "" {
				t.Fatalf("the offer of version %d changed (-before +after):\n%s", q.Held, diff)
			}
		}
		if approvals > 1 {
			t.Fatalf("approved %d times", approvals)
		}
	})
}

func anyCommand(t *rapid.T, q quote.State, now time.Time) domain.Decider[quote.State, quote.Event] {
	version := rapid.IntRange(0, q.Version+1).Draw(t, "version")
	by := rapid.SampledFrom([]domain.Actor{domaintest.Dana, domaintest.Sam, domaintest.AsDana}).Draw(t, "by")
	price := rapid.Int64Range(1, 5).Draw(t, "price")
	return rapid.SampledFrom([]domain.Decider[quote.State, quote.Event]{
		quote.Revise{At: now, Offer: offer(func(o *quote.Offer) {
			o.Lines[0].UnitPrice, o.ExpiresAt = euros(price*10000), now.AddDate(0, 0, 2)
		})},
		quote.Send{At: now},
		quote.View{Visit: domaintest.Visit(by, now)},
		approve(version, by, now),
		quote.Decline{By: by, Version: version, Reason: "No.", At: now},
		quote.RequestChanges{By: by, Version: version, Text: "More.", At: now},
	}).Draw(t, "command")
}
