package money

import (
	"strings"

	"portal.example/domain"
)

// Currency is an ISO 4217 code.
type Currency string

// ErrUnknownCurrency refuses a code that is not in use.
var ErrUnknownCurrency = &domain.Error{
	Kind: domain.Invalid, Code: "unknown_currency", Message: "must be the ISO 4217 code of a currency in use",
}

// exponents holds how many decimals each currency's amounts have: ISO 4217's
// minor unit. Funds codes, metals and test codes are left out.
var exponents = table(map[int]string{
	0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
	2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD " +
		"CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS " +
		"GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP " +
		"LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK " +
		"NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS " +
		"SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD " +
		"XCG YER ZAR ZMW ZWG",
	3: "BHD IQD JOD KWD LYD OMR TND",
})

func table(codes map[int]string) map[Currency]int {
	t := make(map[Currency]int)
	for exponent, list := range codes {
		for _, code := range strings.Fields(list) {
			t[Currency(code)] = exponent
		}
	}
	return t
}

// Known says whether the portal can count in the currency.
func (c Currency) Known() bool {
	_, known := exponents[c]
	return known
}

// Exponent is the number of decimals of an amount: 2 for EUR, 0 for JPY, 3 for
// KWD; 0 for a currency that is not known.
func (c Currency) Exponent() int {
	return exponents[c]
}

// CheckCurrency demands a known currency.
func CheckCurrency(check *domain.Check, field string, c Currency) {
	if !c.Known() {
		check.Add(field, ErrUnknownCurrency)
	}
}
