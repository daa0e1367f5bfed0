package api

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of the reverse proxies whose word on where a request
// comes from is taken. None means that nobody's is.
type Proxies []netip.Prefix

// ParseProxies reads networks and single addresses, separated by commas.
func ParseProxies(list string) (Proxies, error) {
	var p Proxies
	for text := range strings.SplitSeq(list, ",") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		network, err := netip.ParsePrefix(text)
		if address, single := netip.ParseAddr(text); single == nil && address.Zone() == "" {
			network, err = address.Prefix(address.BitLen())
		}
		if err != nil || network.Addr().Is4In6() {
			return nil, errors.New("must be networks such as 10.0.0.0/8, separated by commas")
		}
		p = append(p, network.Masked())
	}
	return p, nil
}

// client is the address that a request comes from: the nearest one that is no
// proxy's. Each proxy names whom it got the request from, to the right of what
// others said before, so that the way is followed from the right, and ends
// where the word of somebody unknown would have to be taken.
//
// A proxy may write one of the two headers and let pass what a client wrote into
// the other. Where both are there and disagree, neither is believed.
func (p Proxies) client(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	peer, known := parseAddress(host)
	if !known || !p.have(peer) {
		return host
	}
	list, standard := r.Header.Values("X-Forwarded-For"), r.Header.Values("Forwarded")
	if len(standard) == 0 {
		return p.follow(peer, strings.Split(strings.Join(list, ","), ",")).String()
	}
	client := p.follow(peer, forwardedFor(strings.Join(standard, ",")))
	if len(list) > 0 && p.follow(peer, strings.Split(strings.Join(list, ","), ",")) != client {
		return peer.String()
	}
	return client.String()
}

func (p Proxies) have(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(a) })
}

// follow goes the way back from the peer for as long as it leads over proxies.
func (p Proxies) follow(peer netip.Addr, way []string) netip.Addr {
	at := peer
	for _, text := range slices.Backward(way) {
		before, known := parseAddress(text)
		if !known || !p.have(at) {
			break
		}
		at = before
	}
	return at
}

// parseAddress reads an address with or without a port, in one form whatever the
// notation.
func parseAddress(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if with, err := netip.ParseAddrPort(text); err == nil {
		return with.Addr().Unmap().WithZone(""), true
	}
	if inside, bracketed := strings.CutPrefix(text, "["); bracketed {
		text = strings.TrimSuffix(inside, "]")
	}
	address, err := netip.ParseAddr(text)
	return address.Unmap().WithZone(""), err == nil
}

// forwardedFor is the for= of each element of a Forwarded header (RFC 7239),
// empty where an element has none. Of a header that does not parse as a whole
// nothing is taken: what a client began, such as a quotation, may reach into
// what a proxy added.
func forwardedFor(header string) (way []string) {
	node, named := "", false
	for rest := header; ; {
		rest = strings.TrimLeft(rest, " \t")
		switch {
		case rest == "":
			return append(way, node)
		case rest[0] == ',':
			way = append(way, node)
			node, named, rest = "", false, rest[1:]
		case rest[0] == ';':
			rest = rest[1:]
		default:
			name, after, assigned := strings.Cut(rest, "=")
			value, following, ok := parameter(after)
			isFor := strings.EqualFold(name, "for")
			if !assigned || !ok || strings.ContainsAny(name, " \t,;\"") || isFor && named {
				return nil
			}
			if isFor {
				node, named = value, true
			}
			rest = following
		}
	}
}

// parameter reads a value, quoted or not, up to where the next thing begins.
func parameter(text string) (value, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, ",;")
		if end < 0 {
			end = len(text)
		}
		value = strings.TrimRight(text[:end], " \t")
		return value, text[end:], !strings.ContainsAny(value, " \t\"\\")
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			rest = strings.TrimLeft(text[i+1:], " \t")
			return b.String(), rest, rest == "" || rest[0] == ',' || rest[0] == ';'
		case '\\':
			i++
		}
		if i < len(text) {
			b.WriteByte(text[i])
		}
	}
	return "", "", false // the quotation does not end
}
