package demo

// What the real histories look like. Every table of quantiles holds the values
// in the middle of twenty equal parts, so that drawing one of them at random
// follows the original but for its rarest values. A test compares them with the
// files, where those are at hand.

// An invoice's course is a word in which each letter is a row of its history.
const (
	create  = 'C'
	send    = 'S'
	notify  = 'N'
	penalty = 'L'
	pay     = 'P'
	collect = 'K'
	appeal  = 'A'
	answer  = 'B'
	decide  = 'D'
	tell    = 'E'
	goToLaw = 'J'
)

var activities = map[rune]string{
	create:  "Create Fine",
	send:    "Send Fine",
	notify:  "Insert Fine Notification",
	penalty: "Add penalty",
	pay:     "Payment",
	collect: "Send for Credit Collection",
	appeal:  "Insert Date Appeal to Prefecture",
	answer:  "Send Appeal to Prefecture",
	decide:  "Receive Result Appeal from Prefecture",
	tell:    "Notify Result Appeal to Offender",
	goToLaw: "Appeal to Judge",
}

// courses are the most frequent ones and how many of ten thousand invoices took
// each; the rest, one in sixty, took thirty others.
var courses = []course{
	{"CP", 3428},
	{"CSNLK", 3273},
	{"CS", 1890},
	{"CSNLP", 758},
	{"CSNLPP", 250},
	{"CSNALB", 151},
	{"CSNLPK", 78},
	{"CSP", 37},
	{"CSNLAB", 24},
	{"CSNPLP", 13},
	{"CSNABLDEK", 10},
	{"CSNALBDEP", 9},
	{"CSNLABDEP", 8},
}

type course struct {
	steps string
	count int
}

type quantiles [20]int

// Amounts, in cents, and in thousandths of another amount.
var (
	issued   = quantiles{2200, 2200, 3500, 3500, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600}
	expenses = quantiles{1100, 1100, 1300, 1300, 1300, 1300, 1300, 1300, 1300, 1300, 1300, 1300, 1300, 1300, 1300, 1300, 1300, 1300, 1350, 1860}
	risen    = quantiles{2000, 2000, 2023, 2042, 2055, 2055, 2055, 2055, 2055, 2055, 2055, 2055, 2055, 2055, 2055, 2055, 2055, 2055, 2055, 2055} // to so much of what was issued
	lastPaid = quantiles{563, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000}  // of what was left, when nothing was paid after it
	morePaid = quantiles{557, 557, 563, 563, 563, 563, 563, 563, 563, 563, 563, 563, 563, 589, 597, 614, 617, 760, 1000, 1000}                   // of what was left, when more was to come
)

// delays are days since the row before; payments depend on what that was.
var delays = map[string]quantiles{
	"S":  {41, 57, 65, 69, 74, 79, 83, 89, 93, 100, 103, 108, 112, 116, 119, 122, 125, 128, 133, 162},
	"N":  {6, 7, 7, 8, 8, 9, 9, 10, 11, 12, 13, 14, 16, 18, 18, 19, 20, 22, 24, 30},
	"L":  {24, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60},
	"K":  {281, 331, 346, 365, 387, 397, 406, 408, 443, 465, 475, 484, 510, 519, 520, 539, 556, 741, 758, 786},
	"A":  {1, 4, 8, 10, 13, 15, 20, 23, 27, 31, 34, 38, 41, 44, 47, 48, 53, 56, 58, 107},
	"B":  {0, 2, 3, 7, 10, 13, 20, 22, 27, 31, 32, 34, 35, 37, 40, 44, 59, 1274, 1408, 1525},
	"D":  {2, 4, 7, 7, 11, 11, 14, 15, 20, 25, 33, 45, 54, 57, 64, 66, 70, 84, 89, 141},
	"E":  {2, 2, 3, 4, 4, 5, 5, 6, 6, 7, 8, 10, 11, 12, 14, 27, 30, 32, 50, 59},
	"CP": {0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6, 7, 9, 12, 20, 32, 59},
	"SP": {6, 12, 14, 16, 17, 18, 21, 23, 27, 31, 42, 51, 55, 58, 59, 70, 80, 90, 116, 205},
	"NP": {0, 12, 13, 13, 13, 13, 22, 24, 24, 24, 26, 29, 34, 34, 38, 41, 45, 46, 46, 47},
	"LP": {0, 2, 4, 9, 17, 26, 38, 65, 126, 161, 186, 213, 236, 258, 277, 305, 329, 348, 370, 558},
	"PP": {2, 21, 23, 25, 27, 29, 30, 32, 34, 36, 39, 42, 45, 52, 60, 86, 113, 209, 249, 311},
	"EP": {0, 12, 21, 23, 25, 26, 27, 30, 31, 31, 31, 53, 55, 56, 58, 230, 235, 326, 411, 456},
}

// Requests: how many steps follow the first row, minutes between rows, days
// until an answer was promised, and by which way they came.
var (
	ended      = 93 // of a hundred have an end
	stepCounts = quantiles{0, 0, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 8, 9}
	pauses     = quantiles{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 15, 88, 1172, 4456, 17112}
	promises   = quantiles{-14, 9, 19, 25, 28, 31, 34, 36, 38, 40, 42, 44, 46, 48, 49, 51, 54, 66, 77, 110}
	channels   = []channel{
		{"Internet", "Web form", 1250},
		{"Desk", "Desk", 109},
		{"Post", "Post", 53},
		{"e-mail", "E-mail", 21},
		{"Intern", "Telephone", 1},
	}
)

type channel struct {
	original string
	name     string // in the demo
	count    int
}
