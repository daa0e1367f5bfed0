package demo

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// realCases are the rows of one of the real histories by case, each a map from
// column to value. The histories are not part of the project.
func realCases(t *testing.T, name string) map[string][]map[string]string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "data", name))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) { // the tables were compared with it where it is
		t.Skipf("the real history %s is not part of the project and not at %s", name, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string][]map[string]string{}
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, column := range records[0] {
			row[column] = record[i]
		}
		cases[row["case"]] = append(cases[row["case"]], row)
	}
	return cases
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func moment(t *testing.T, layout, text string) time.Time {
	t.Helper()
	at, err := time.Parse(layout, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// middles are the values in the middle of as many equal parts as the table has.
func middles(values []int) (q quantiles) {
	slices.Sort(values)
	for i := range q {
		q[i] = values[(2*i+1)*len(values)/(2*len(q))]
	}
	return q
}

func TestInvoicesFollowTheRealFines(t *testing.T) {
	t.Parallel()
	letters := map[string]string{}
	for letter, activity := range activities {
		letters[activity] = string(letter)
	}
	counts := map[string]int{}
	values := map[string][]int{}
	note := func(table string, value int) { values[table] = append(values[table], value) }
	for _, rows := range realCases(t, "fines.csv.gz") {
		var steps string
		for _, row := range rows {
			steps += letters[row["activity"]]
		}
		counts[steps]++
		var fine, billed, paid int
		for i, row := range rows {
			step := rune(steps[i])
			if i > 0 {
				table := string(step)
				if step == pay {
					table = steps[i-1 : i+1]
				}
				apart := moment(t, time.DateOnly, row["date"]).Sub(moment(t, time.DateOnly, rows[i-1]["date"]))
				note("delay "+table, int(apart/day))
			}
			switch step {
			case create:
				fine = number(t, row["amount_cents"])
				billed = fine
				note("issued", fine)
			case send:
				note("expenses", number(t, row["expense_cents"]))
				billed += number(t, row["expense_cents"])
			case penalty:
				risen := number(t, row["amount_cents"])
				note("risen", 1000*risen/fine)
				billed += risen - fine
				fine = risen
			case pay:
				sum := number(t, row["paid_cents"])
				table := "last"
				if strings.ContainsRune(steps[i+1:], pay) {
					table = "more"
				}
				if billed > paid {
					note(table, 1000*sum/(billed-paid))
				}
				paid += sum
			}
		}
	}
	for _, c := range courses {
		if counts[c.steps] != c.count {
			t.Errorf("%d cases went %s, not %d", counts[c.steps], c.steps, c.count)
		}
	}
	tables := map[string]quantiles{"issued": issued, "expenses": expenses, "risen": risen, "last": lastPaid, "more": morePaid}
	for name, table := range delays {
		tables["delay "+name] = table
	}
	compare(t, tables, values)
}

func TestRequestsFollowTheRealOnes(t *testing.T) {
	t.Parallel()
	ways := map[string]int{}
	values := map[string][]int{}
	var all, withEnd int
	for _, rows := range realCases(t, "requests.csv.gz") {
		first := moment(t, time.RFC3339, rows[0]["at"])
		ways[rows[0]["channel"]]++
		all++
		if rows[0]["enddate"] != "" {
			withEnd++
		}
		values["steps"] = append(values["steps"], len(rows)-1)
		values["promises"] = append(values["promises"], floor(moment(t, time.RFC3339, rows[0]["deadline"]).Sub(first), day))
		for i, row := range rows[1:] {
			apart := moment(t, time.RFC3339, row["at"]).Sub(moment(t, time.RFC3339, rows[i]["at"]))
			values["pauses"] = append(values["pauses"], floor(apart, time.Minute))
		}
	}
	want := map[string]int{}
	for _, c := range channels {
		want[c.original] = c.count
	}
	if diff := cmp.Diff(want, ways); diff != "" {
		t.Errorf("channels (-demo +file):\n%s", diff)
	}
	if got := (200*withEnd + all) / (2 * all); got != ended {
		t.Errorf("%d of a hundred ended, not %d", got, ended)
	}
	compare(t, map[string]quantiles{"steps": stepCounts, "pauses": pauses, "promises": promises}, values)
}

func floor(d, unit time.Duration) int {
	n := int(d / unit)
	if d%unit < 0 {
		n--
	}
	return n
}

func compare(t *testing.T, tables map[string]quantiles, values map[string][]int) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		if diff := cmp.Diff(tables[name], middles(values[name])); diff != "" {
			t.Errorf("%s (-demo +file):\n%s", name, diff)
		}
	}
}
