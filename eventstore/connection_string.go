package eventstore

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// settings are what a connection string may have behind its question mark, in
// lower case, as the esdb client compares them. It takes others for noise, and
// a misspelt tls=… would go unnoticed.
var settings = map[string]bool{
	"tls": true, "tlscafile": true, "tlsverifycert": true,
	"usercertfile": true, "userkeyfile": true,
	"nodepreference": true, "gossiptimeout": true, "defaultdeadline": true,
	"keepaliveinterval": true, "keepalivetimeout": true,
	"maxdiscoverattempts": true, "discoveryinterval": true, // overruled
}

// foreign are the settings of other clients: one string may serve them all.
var foreign = map[string]bool{"connectionname": true, "throwonappendfailure": true}

// parseConnectionString reads esdb://[user:password@]host[:port][,…][?settings].
//
// Its errors are about what the string's parts should be and never quote a part
// that could hold the password, which is why it checks all of them before the
// esdb client's own parser, whose errors quote everything.
func parseConnectionString(s string) (*esdb.Configuration, error) {
	scheme, rest, _ := strings.Cut(s, "://")
	if scheme != "esdb" && scheme != "esdb+discover" {
		return nil, errors.New("it must start with esdb:// or esdb+discover://")
	}
	authority, query, _ := strings.Cut(rest, "?")
	authority = strings.TrimSuffix(authority, "/")
	if strings.Contains(query, "@") || strings.ContainsAny(authority, "/#") {
		return nil, errors.New("after the hosts only ?settings may follow; " +
			"in the user name and the password / ? # @ are written %2F %3F %23 %40")
	}
	hosts := authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		if err := checkCredentials(authority[:at]); err != nil {
			return nil, err
		}
		hosts = authority[at+1:]
	}
	for i, host := range strings.Split(hosts, ",") {
		if err := checkHost(host); err != nil {
			return nil, fmt.Errorf("host %d: %w", i+1, err)
		}
	}
	values, err := ownSettings(query)
	if err != nil {
		return nil, err
	}
	return parse(scheme + "://" + authority + "?" + values.Encode())
}

func checkCredentials(credentials string) error {
	user, password, _ := strings.Cut(credentials, ":")
	// Without either the esdb client would go on as nobody.
	if user == "" || password == "" {
		return errors.New("credentials are user:password, neither of them empty")
	}
	// A comma would be taken for the one between two hosts.
	if _, err := url.PathUnescape(credentials); err != nil || strings.ContainsAny(credentials, ", ") ||
		strings.Contains(password, ":") {
		return errors.New("the special characters of the user name and the password " +
			"are percent-encoded: % is %25, : is %3A, a comma is %2C")
	}
	return nil
}

func checkHost(host string) error {
	name, port, given := strings.Cut(host, ":")
	if name == "" || strings.ContainsAny(name, " []%") {
		return errors.New("a name or an IPv4 address is expected")
	}
	if n, err := strconv.Atoi(port); given && (err != nil || n < 1 || n > 65535) {
		return errors.New("the port must be 1 to 65535")
	}
	return nil
}

func ownSettings(query string) (url.Values, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("settings are name=value, joined by &, special characters percent-encoded")
	}
	for name := range values {
		switch lower := strings.ToLower(name); {
		case foreign[lower]:
			delete(values, name) // the esdb client would print a complaint
		case !settings[lower]:
			return nil, fmt.Errorf("there is no setting %q", name)
		}
	}
	return values, nil
}

// parse has the esdb client read a string whose parts are known to be sound,
// but for the values of settings: those its errors may quote.
func parse(s string) (*esdb.Configuration, error) {
	conf, err := esdb.ParseConnectionString(s)
	var notURL *url.Error
	switch {
	case errors.As(err, &notURL): // quotes the whole string
		return nil, errors.New("it holds a character that must be percent-encoded")
	case err != nil:
		return nil, err
	}
	if conf.GossipTimeout < 1 {
		return nil, errors.New("gossipTimeout must be at least 1 (second)")
	}
	if conf.DefaultDeadline != nil && *conf.DefaultDeadline <= 0 {
		return nil, errors.New("defaultDeadline must be at least 1 (millisecond)")
	}
	if err := conf.Validate(); err != nil {
		return nil, err
	}
	return conf, nil
}
