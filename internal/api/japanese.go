package api

import "strings"

// japanese are the problems' sentences by code. {name} stands for the value of
// that name in the problem's arguments.
var japanese = map[string]string{ //nolint:gosec // sentences about tokens, no tokens
	// of requests, whatever they ask
	"being_filled":           "履歴から集計しています。しばらくしてからもう一度お試しください。",
	"contended":              "同じ記録を変更している人が多すぎます。もう一度お試しください。",
	"database_unavailable":   "データベースに接続できません。",
	"forbidden":              "この操作は許可されていません。",
	"idempotency_key_reused": "この Idempotency-Key は別のリクエストですでに使われています。",
	"if_match_required":      "変更する文書の版を If-Match で指定してください。",
	"internal":               "エラーが発生しました。ID により、ポータルの記録から原因を調べられます。",
	"invalid":                "入力内容に誤りがあります。",
	"log_full":               "イベントログの空き容量が不足しているため、新しい記録を受け付けられません。閲覧は引き続き可能です。しばらくしてから同じ Idempotency-Key でもう一度お試しください。",
	"log_unavailable":        "イベントログに接続できません。リクエストが記録されたかどうかは不明です。同じ Idempotency-Key でもう一度お試しください。",
	"malformed":              "リクエストを読み取れません。",
	"method_not_allowed":     "このパスではこのメソッドを使えません。",
	"no_such_path":           "このパスには何もありません。",
	"not_a_position":         "以前の応答にあった Portal-Position を指定してください。",
	"not_an_etag":            "ポータルが返した ETag を一つだけ指定してください(例:\"3\")。",
	"not_built":              "表示用のデータを初めて作成しています。",
	"not_found":              "見つかりません。",
	"not_yet":                "指定された Portal-Position はまだ反映されていません。もう一度お試しください。",
	"role_forbidden":         "このトークンの役割では許可されていません。",
	"timeout":                "応答に時間がかかりすぎました。",
	"token_missing":          "トークンが必要です(Authorization: Bearer …)。",
	"token_unknown":          "トークンが無効です。",
	"too_large":              "リクエストが大きすぎます。",
	"too_many_moments":       "同時に参照できる時点の数を超えています。一分ほどしてからもう一度お試しください。",

	// of fields
	"above_billed":      "請求額({billed})を超えることはできません。",
	"above_total":       "オプションを除いた合計を超えることはできません。",
	"amount_too_large":  "金額が大きすぎます。",
	"before_issue":      "発行日より前にはできません。",
	"control_character": "制御文字は使えません。",
	"count":             "{count} 件あります。{least} 件から {most} 件まで指定できます。",
	"currency_mismatch": "通貨が異なります。",
	"duplicate":         "ほかの行の ID と重複しています。",
	"in_the_future":     "未来の日時は指定できません。",
	"in_the_past":       "過去の日時は指定できません。",
	"not_a_date":        "日付は 2006-01-02 の形式で、1900 年から 9999 年までの範囲で指定してください。",
	"not_a_number":      "台帳が発行した番号ではありません。",
	"not_a_phone":       "電話番号を指定してください。",
	"not_a_quantity":    "数量は 1 から 1000000000(千分の一単位)までで指定してください。",
	"not_a_rate":        "税率は 0 から 1000000(百万分の一単位)までで指定してください。",
	"not_a_salt":        "32 桁の 16 進数を指定してください。",
	"not_a_slug":        "英小文字、数字、ハイフンのみ、63 文字以内で指定してください。両端にハイフンは使えません。",
	"not_a_time":        "1900 年から 9999 年までの日時を指定してください。",
	"not_a_time_zone":   "タイムゾーン名を指定してください(例:Asia/Tokyo)。",
	"not_after_start":   "開始より後の時刻を指定してください。",
	"not_an_amount":     "{currency} の金額ではありません。小数点以下は {decimals} 桁までです。",
	"not_an_email":      "メールアドレスを指定してください。",
	"not_an_id":         "小文字の UUID を指定してください。",
	"not_an_option":     "オプション行の ID を一度だけ指定してください。",
	"not_for_role":      "この役割では指定できません。",
	"not_one_of":        "次のいずれかを指定してください:{allowed}",
	"not_positive":      "金額が小さすぎます。",
	"not_utf8":          "正しい UTF-8 ではありません。",
	"optional":          "請求書の行はオプションにできません。",
	"required":          "必須項目です。",
	"too_long":          "{count} 文字あります。{limit} 文字以内にしてください。",
	"unknown_currency":  "使用中の通貨の ISO 4217 コードを指定してください。",
	"unknown_customer":  "この事業者の顧客ではありません。",
	"unknown_place":     "顧客の物件、またはその物件の区画を指定してください。",
	"unknown_quote":     "顧客の見積書ではありません。",
	"unknown_request":   "顧客の依頼ではありません。",
	"unknown_version":   "送付された版を指定してください。",

	// of what records allow
	"business_exists":        "この事業者はすでに登録されています。",
	"business_not_found":     "この事業者は存在しません。",
	"contact_not_found":      "この連絡先は顧客に登録されていません。",
	"customer_exists":        "この顧客はすでに存在します。",
	"customer_not_found":     "この顧客は存在しません。",
	"dispute_decided":        "この異議にはすでに結論が出ています。",
	"dispute_elsewhere":      "この異議は別の機関で扱われています。",
	"dispute_not_found":      "この異議は存在しません。",
	"dispute_open":           "すでに異議が申し立てられています。",
	"dispute_undecided":      "この異議にはまだ結論が出ていません。",
	"id_taken":               "この ID はすでに使われています。",
	"invoice_exists":         "この請求書はすでに存在します。",
	"invoice_frozen":         "この請求書はもう変更できません。",
	"invoice_not_found":      "この請求書は存在しません。",
	"invoice_not_frozen":     "この請求書はまだ番号を付けられません。",
	"invoice_not_issued":     "この請求書はまだ発行されていません。",
	"invoice_not_sent":       "この請求書はまだ送付されていません。",
	"invoice_numbered":       "この請求書には別の番号があります。",
	"invoice_paid":           "すでに入金があります。代わりに貸方票を発行してください。",
	"invoice_void":           "この請求書は無効です。",
	"key_not_found":          "このキーは存在しません。",
	"name_taken":             "この名前はすでに使われています。",
	"not_by_contact":         "ほかの機関の手続きは事業者だけが記録できます。",
	"nothing_owed":           "未払いの金額はありません。",
	"only_contact":           "顧客の連絡先本人だけができる操作です。",
	"payment_exists":         "この入金はすでに記録されています。",
	"payment_not_found":      "この入金は存在しません。",
	"payment_settled":        "この入金は別の方法で精算されています。",
	"payment_unequal":        "充当額と預り金の合計が入金額と一致しません。",
	"portal_closed":          "事業者がポータルを閉じています。",
	"property_not_found":     "この物件は顧客に登録されていません。",
	"question_not_found":     "この質問は存在しません。",
	"quote_approved":         "この見積書は承認済みです。",
	"quote_declined":         "この見積書は辞退されています。",
	"quote_exists":           "この見積書はすでに存在します。",
	"quote_expired":          "この見積書は有効期限を過ぎています。",
	"quote_not_found":        "この見積書は存在しません。",
	"quote_superseded":       "この見積書は新しい版に置き換えられました。",
	"request_accepted":       "この依頼は受け付け済みです。",
	"request_declined":       "この依頼は断られています。",
	"request_exists":         "この依頼はすでに存在します。",
	"request_not_asked_back": "返答が必要な質問はありません。",
	"request_not_found":      "この依頼は存在しません。",
	"rights_missing":         "この連絡先の権限では許可されていません。",
	"too_many":               "これ以上追加できません。",
	"too_many_questions":     "この見積書にはこれ以上質問できません。",
	"version_mismatch":       "文書は読み込まれた後に変更されています。",
}

// prefersJapanese looks at which of the two languages the header names first.
// Whoever names neither gets English.
func prefersJapanese(acceptLanguage string) bool {
	for tag := range strings.SplitSeq(strings.ToLower(acceptLanguage), ",") {
		language, _, _ := strings.Cut(strings.TrimSpace(tag), ";")
		switch language, _, _ = strings.Cut(language, "-"); language {
		case "ja":
			return true
		case "en":
			return false
		}
	}
	return false
}

// inJapanese is the problem with the sentences that there are in Japanese.
func (d *Details) inJapanese() *Details {
	translated := *d
	translated.Detail = sentence(d.Code, d.Detail, d.args)
	translated.Errors = make([]FieldFault, len(d.Errors))
	for i, fault := range d.Errors {
		fault.Message = sentence(fault.Code, fault.Message, fault.args)
		translated.Errors[i] = fault
	}
	return &translated
}

func sentence(code, otherwise string, args map[string]string) string {
	text, known := japanese[code]
	if !known {
		return otherwise
	}
	for name, value := range args {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}
