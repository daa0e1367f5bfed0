package invoice_test

import (
	"testing"

	"portal.example/domain"
	"portal.example/domain/domaintest"
	"portal.example/domain/invoice"
)

var dispute = domaintest.ID(40)

func opened(n int, forum invoice.Forum) invoice.DisputeOpened {
	return invoice.DisputeOpened{CustomerID: customer, DisputeID: domaintest.ID(n), Forum: forum, At: at}
}

func answered(forum invoice.Forum) invoice.DisputeAnswered {
	return invoice.DisputeAnswered{CustomerID: customer, DisputeID: dispute, Forum: forum, At: at}
}

func decided(forum invoice.Forum, outcome invoice.Outcome) invoice.DisputeDecided {
	return invoice.DisputeDecided{CustomerID: customer, DisputeID: dispute, Forum: forum, Outcome: outcome, At: at}
}

func notified(forum invoice.Forum) invoice.DisputeOutcomeNotified {
	return invoice.DisputeOutcomeNotified{CustomerID: customer, DisputeID: dispute, Forum: forum, At: at}
}

func TestOpenDispute(t *testing.T) {
	t.Parallel()
	open := func(by domain.Actor, forum invoice.Forum, reason string) invoice.OpenDispute {
		return invoice.OpenDispute{By: by, DisputeID: dispute, Forum: forum, Reason: reason, At: at}
	}
	byDana := opened(40, invoice.BeforeBusiness)
	byDana.ContactID, byDana.Reason = dana, "Not done."
	domaintest.Run(t, []decision{
		{Name: "by a contact", Given: inForce(), When: open(domaintest.Dana, invoice.BeforeBusiness, "Not done."), Then: events{byDana}},
		{Name: "again", Given: inForce(byDana), When: open(domaintest.Dana, invoice.BeforeBusiness, "Not done.")},
		{
			Name: "a second one", Given: inForce(opened(41, invoice.BeforeBusiness)),
			When: open(domaintest.Dana, invoice.BeforeBusiness, "Not done."), Refused: invoice.ErrDisputed,
		},
		{
			Name: "by staff, before an authority as well", Given: inForce(opened(41, invoice.BeforeBusiness)),
			When: open(domaintest.Sam, invoice.BeforeAuthority, ""), Then: events{opened(40, invoice.BeforeAuthority)},
		},
		{
			Name: "learnt of after it was decided", Given: inForce(decided(invoice.BeforeAuthority, invoice.Unstated)),
			When: open(domain.Actor{Kind: domain.System}, invoice.BeforeAuthority, ""), Then: events{opened(40, invoice.BeforeAuthority)},
		},
		{
			Name: "by a contact before a court", Given: inForce(),
			When: open(domaintest.Dana, invoice.BeforeCourt, "Not done."), Refused: invoice.ErrNotByContact,
		},
		{
			Name: "by staff as the contact", Given: inForce(),
			When: open(domaintest.AsDana, invoice.BeforeBusiness, "Not done."), Refused: domain.ErrOnlyContact,
		},
		{
			Name: "by a contact without a reason", Given: inForce(),
			When: open(domaintest.Dana, invoice.BeforeBusiness, ""), Faults: []string{"reason: required"},
		},
		{
			Name: "one more than twenty", Given: inForce(twentyDisputes()...),
			When: open(domaintest.Sam, invoice.BeforeCourt, ""), Refused: invoice.ErrTooMany,
		},
		{
			Name: "known before another forum", Given: inForce(opened(40, invoice.BeforeAuthority)),
			When: open(domaintest.Sam, invoice.BeforeCourt, ""), Refused: invoice.ErrOtherForum,
		},
		{
			Name: "nowhere", Given: inForce(), When: invoice.OpenDispute{By: domaintest.Sam},
			Faults: []string{"disputeId: not_an_id", "forum: not_one_of"},
		},
		{
			Name: "about a draft", Given: events{drafted()},
			When: open(domaintest.Sam, invoice.BeforeBusiness, ""), Refused: invoice.ErrNotIssued,
		},
		{
			Name: "about what is void", Given: inForce(voided()),
			When: open(domaintest.Sam, invoice.BeforeBusiness, ""), Refused: invoice.ErrVoid,
		},
	})
}

func twentyDisputes() events {
	var given events
	for n := range 20 {
		given = append(given, opened(1000+n, invoice.BeforeCourt))
	}
	return given
}

func TestAnswerDispute(t *testing.T) {
	t.Parallel()
	answer := func(forum invoice.Forum, text string) invoice.AnswerDispute {
		return invoice.AnswerDispute{DisputeID: dispute, Forum: forum, Text: text, At: at}
	}
	inWords := answered(invoice.BeforeBusiness)
	inWords.Text = "It was."
	domaintest.Run(t, []decision{
		{
			Name: "before the business", Given: inForce(opened(40, invoice.BeforeBusiness)),
			When: answer(invoice.BeforeBusiness, "It was."), Then: events{inWords},
		},
		{
			Name: "before the business without words", Given: inForce(opened(40, invoice.BeforeBusiness)),
			When: answer(invoice.BeforeBusiness, ""), Faults: []string{"text: required"},
		},
		{
			Name: "before the business, unasked", Given: inForce(),
			When: answer(invoice.BeforeBusiness, "It was."), Refused: invoice.ErrNoDispute,
		},
		{
			Name: "before the business, too late", Given: inForce(opened(40, invoice.BeforeBusiness), decided(invoice.BeforeBusiness, invoice.Upheld)),
			When: answer(invoice.BeforeBusiness, "It was."), Refused: invoice.ErrDecided,
		},
		{
			Name: "before an authority, whose letter is yet to come", Given: inForce(),
			When: answer(invoice.BeforeAuthority, ""), Then: events{answered(invoice.BeforeAuthority)},
		},
		{
			Name: "before an authority that has told the customer already", Given: inForce(notified(invoice.BeforeAuthority)),
			When: answer(invoice.BeforeAuthority, ""), Then: events{answered(invoice.BeforeAuthority)},
		},
		{Name: "about nothing", When: answer(invoice.BeforeAuthority, ""), Refused: invoice.ErrNotFound},
	})
}

func TestDecideDispute(t *testing.T) {
	t.Parallel()
	decide := func(forum invoice.Forum, outcome invoice.Outcome) invoice.DecideDispute {
		return invoice.DecideDispute{DisputeID: dispute, Forum: forum, Outcome: outcome, At: at}
	}
	domaintest.Run(t, []decision{
		{
			Name: "by the business", Given: inForce(opened(40, invoice.BeforeBusiness)),
			When: decide(invoice.BeforeBusiness, invoice.Rejected), Then: events{decided(invoice.BeforeBusiness, invoice.Rejected)},
		},
		{
			Name: "by the business, unasked", Given: inForce(),
			When: decide(invoice.BeforeBusiness, invoice.Rejected), Refused: invoice.ErrNoDispute,
		},
		{
			Name: "by the business without saying how", Given: inForce(opened(40, invoice.BeforeBusiness)),
			When: decide(invoice.BeforeBusiness, invoice.Unstated), Faults: []string{"outcome: not_one_of"},
		},
		{
			Name: "by an authority that nobody knew of", Given: inForce(),
			When: decide(invoice.BeforeAuthority, invoice.Unstated), Then: events{decided(invoice.BeforeAuthority, invoice.Unstated)},
		},
		{
			Name: "again", Given: inForce(decided(invoice.BeforeAuthority, invoice.Unstated)),
			When: decide(invoice.BeforeAuthority, invoice.Unstated),
		},
		{
			Name: "otherwise", Given: inForce(decided(invoice.BeforeAuthority, invoice.Unstated)),
			When: decide(invoice.BeforeAuthority, invoice.Upheld), Refused: invoice.ErrDecided,
		},
		{
			Name: "somehow", Given: inForce(opened(40, invoice.BeforeCourt)),
			When: decide(invoice.BeforeCourt, "so-so"), Faults: []string{"outcome: not_one_of"},
		},
		{Name: "about nothing", When: decide(invoice.BeforeCourt, invoice.Upheld), Refused: invoice.ErrNotFound},
	})
}

func TestNotifyDisputeOutcome(t *testing.T) {
	t.Parallel()
	notify := func(forum invoice.Forum) invoice.NotifyDisputeOutcome {
		return invoice.NotifyDisputeOutcome{DisputeID: dispute, Forum: forum, At: at}
	}
	open := opened(40, invoice.BeforeBusiness)
	domaintest.Run(t, []decision{
		{
			Name: "of the business", Given: inForce(open, decided(invoice.BeforeBusiness, invoice.Upheld)),
			When: notify(invoice.BeforeBusiness), Then: events{notified(invoice.BeforeBusiness)},
		},
		{
			Name: "again", Given: inForce(open, decided(invoice.BeforeBusiness, invoice.Upheld), notified(invoice.BeforeBusiness)),
			When: notify(invoice.BeforeBusiness),
		},
		{Name: "before there is one", Given: inForce(open), When: notify(invoice.BeforeBusiness), Refused: invoice.ErrUndecided},
		{Name: "of no dispute", Given: inForce(), When: notify(invoice.BeforeBusiness), Refused: invoice.ErrNoDispute},
		{
			Name: "of an authority, whose letter is yet to come", Given: inForce(),
			When: notify(invoice.BeforeAuthority), Then: events{notified(invoice.BeforeAuthority)},
		},
		{Name: "about nothing", When: notify(invoice.BeforeAuthority), Refused: invoice.ErrNotFound},
	})
}

func TestDisputed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given events
		want  bool
	}{
		"not at all":         {inForce(), false},
		"opened":             {inForce(opened(40, invoice.BeforeCourt)), true},
		"answered":           {inForce(answered(invoice.BeforeAuthority)), true},
		"decided":            {inForce(opened(40, invoice.BeforeCourt), decided(invoice.BeforeCourt, invoice.Upheld)), false},
		"told, never opened": {inForce(notified(invoice.BeforeAuthority)), false},
		"one of two":         {inForce(decided(invoice.BeforeCourt, invoice.Upheld), opened(41, invoice.BeforeBusiness)), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := domain.Fold(invoice.State{}, test.given...).Disputed(); got != test.want {
				t.Errorf("disputed: %t, want %t", got, test.want)
			}
		})
	}
}
