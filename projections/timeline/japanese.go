package timeline

import (
	"strings"
	"time"

	"portal.example/domain/account"
	"portal.example/domain/customer"
	"portal.example/domain/invoice"
	"portal.example/domain/money"
	"portal.example/domain/payment"
	"portal.example/domain/request"
)

var japanese = language{
	sentences: map[string]string{ //nolint:gosec // G101 takes sentences for secrets
		"AccountCredited": "{when}、{source}{amount}が{customer}のクレジット残高になりました",

		"BusinessRegistered":   "{when}、{name}がポータルの利用を開始しました",
		"BusinessPortalOpened": "{when}、[{actor}が]ポータルをお客様に公開しました",
		"BusinessPortalClosed": "{when}、[{actor}が]ポータルの公開を停止しました",

		"ClaimTaken": "{when}、ポータルのアドレスを取得しました",

		"CustomerAdded":                "{when}、[{actor}が]{customer}を顧客として登録しました",
		"CustomerContactAdded":         "{when}、[{actor}が]{customer}の担当者として{contact}を登録しました（権限：{access}）",
		"CustomerContactRightsChanged": "{when}、[{actor}が]{customer}の担当者{contact}の権限を変更しました（権限：{access}）",
		"CustomerPropertyAdded":        "{when}、[{actor}が]{customer}に物件「{place}」を追加しました",
		"CustomerUnitAdded":            "{when}、[{actor}が]{customer}に区画「{place}」を追加しました",

		"InvoiceNumberTaken": "{when}、請求書番号{number}を取得しました",

		"InvoiceDrafted":                "{when}、[{actor}が]{customer}宛ての請求書{record}の下書きを作成しました",
		"InvoiceRevised":                "{when}、[{actor}が]請求書{record}の下書きを変更しました",
		"InvoiceFrozen":                 "{when}、[{actor}が]請求書{record}（{amount}[、支払期限{due}]）の発行を準備しました",
		"InvoiceIssued":                 "{when}、[{actor}が]{customer}宛てに請求書{record}（{amount}）を発行しました",
		"InvoiceSent":                   "{when}、[{actor}が]請求書{record}を{customer}に送付しました",
		"InvoiceDeliveryConfirmed":      "{when}、請求書{record}が{customer}に届いたことを確認しました",
		"InvoiceViewed":                 "{when}、{actor}がポータルで請求書{record}を閲覧しました",
		"InvoiceViewedByStaff":          "{when}、{actor}が[{contact}の画面で]請求書{record}を確認しました",
		"InvoiceExpenseAdded":           "{when}、[{actor}が]請求書{record}に実費{amount}を追加しました",
		"InvoiceLateFeeAdded":           "{when}、[{actor}が]請求書{record}に延滞料{amount}を追加しました",
		"InvoicePaymentReceived":        "{when}、請求書{record}に対する{amount}の入金がありました[（うち{surplus}は過払い）]",
		"InvoiceCreditNoteIssued":       "{when}、[{actor}が]請求書{record}に{amount}の減額伝票を発行しました",
		"InvoiceVoided":                 "{when}、[{actor}が]請求書{record}を無効にしました",
		"InvoiceSentToCollections":      "{when}、[{actor}が]請求書{record}（未払い{amount}）の回収を委託しました",
		"InvoiceDisputeOpened":          "{when}、{customer}が請求書{record}について{forum}異議を申し立てました",
		"InvoiceDisputeAnswered":        "{when}、請求書{record}についての{forum}異議に回答しました",
		"InvoiceDisputeDecided":         "{when}、請求書{record}についての{forum}異議の結論が出ました：{outcome}",
		"InvoiceDisputeOutcomeNotified": "{when}、請求書{record}についての{forum}異議の結論を{customer}に通知しました",

		"ParkedMessageDiscarded": "{when}、{name}が{step}について処理できなかったものを運用担当者が破棄しました",

		"PaymentRecorded":  "{when}、[{actor}が]{customer}からの請求書{invoice}の入金{amount}[（{method}）]を記録しました",
		"PaymentAllocated": "{when}、{customer}の入金のうち{amount}を請求書{invoice}に充当しました",
		"PaymentCredited":  "{when}、{customer}の入金のうち{amount}がクレジット残高になりました",

		"QuoteDrafted":          "{when}、[{actor}が]{customer}宛ての見積書{record}の下書きを作成しました",
		"QuoteRevised":          "{when}、[{actor}が]見積書{record}を第{version}版に改訂しました",
		"QuoteSent":             "{when}、[{actor}が]見積書{record}第{version}版（{amount}[、有効期限{expires}]）を{customer}に送付しました",
		"QuoteViewed":           "{when}、{actor}がポータルで見積書{record}を閲覧しました",
		"QuoteViewedByStaff":    "{when}、{actor}が[{contact}の画面で]見積書{record}を確認しました",
		"QuoteQuestionAsked":    "{when}、{actor}がポータルで見積書{record}について質問しました",
		"QuoteQuestionAnswered": "{when}、[{actor}が]見積書{record}についての質問に回答しました",
		"QuoteChangesRequested": "{when}、{actor}がポータルで見積書{record}の変更を依頼しました",
		"QuoteApproved":         "{when}、{actor}がポータルで見積書{record}第{version}版（{amount}）を承認し、署名しました",
		"QuoteDeclined":         "{when}、{actor}がポータルで見積書{record}第{version}版を辞退しました",
		"QuoteExpired":          "{when}、見積書{record}第{version}版（有効期限{expires}）が回答のないまま失効しました",

		"RequestFiled":     "{when}、{customer}の依頼{record}を{channel}受け付けました[（{handler}）]",
		"RequestTriaged":   "{when}、依頼{record}：「{step}」[（{handler}）]",
		"RequestAskedBack": "{when}、[{actor}が]依頼{record}について{customer}に確認をお願いしました",
		"RequestReplied":   "{when}、{actor}がポータルで依頼{record}についての確認に回答しました",
		"RequestAccepted":  "{when}、[{actor}が]依頼{record}を引き受けました（{next}）",
		"RequestDeclined":  "{when}、[{actor}が]依頼{record}をお断りしました",
	},
	words: map[string]string{
		"staff":       "スタッフ",
		"integration": "連携プログラム",
		"somebody":    "不明な人物",
		"erased":      "［消去済み］",

		"access " + string(customer.Everything):  "すべて",
		"access " + string(customer.BillingOnly): "見積書と請求書のみ",
		"access " + string(customer.ViewOnly):    "閲覧のみ",

		"source " + string(account.FromPayment):    "請求書{invoice}の入金のうち",
		"source " + string(account.FromCreditNote): "請求書{invoice}の減額により",

		"forum " + string(invoice.BeforeBusiness):  "事業者への",
		"forum " + string(invoice.BeforeAuthority): "行政機関への",
		"forum " + string(invoice.BeforeCourt):     "裁判所への",

		"outcome " + string(invoice.Upheld):       "お客様の主張が認められました",
		"outcome " + string(invoice.PartlyUpheld): "お客様の主張が一部認められました",
		"outcome " + string(invoice.Rejected):     "お客様の主張は認められませんでした",
		"outcome " + string(invoice.Withdrawn):    "お客様が取り下げました",
		"outcome " + string(invoice.Unstated):     "結論は示されていません",

		"method " + string(payment.Cash):     "現金",
		"method " + string(payment.Cheque):   "小切手",
		"method " + string(payment.Transfer): "銀行振込",
		"method " + string(payment.Unstated): "",

		"channel " + request.ChannelPortal: "ポータルで",
		"channel":                          "「{channel}」で",

		"next " + string(request.NextQuote):       "見積りへ",
		"next " + string(request.NextAppointment): "訪問予約へ",
	},
	person: func(name string) string { return name + "様" },
	team:   func(handler, team string) string { return handler + "・" + team },
	when:   func(t string) string { return t },
	date:   func(t time.Time) string { return t.Format("2006年1月2日") },
	moment: func(t time.Time) string { return t.Format("2006年1月2日15時04分") + "（" + zoneOf(t) + "）" },
	amount: japaneseAmount,
}

// japaneseAmount writes yen as 1,234円 and other currencies as in English.
func japaneseAmount(m money.Money) string {
	if m.Currency != "JPY" {
		return englishAmount(m)
	}
	return strings.Replace(englishAmount(m), symbols["JPY"], "", 1) + "円"
}
