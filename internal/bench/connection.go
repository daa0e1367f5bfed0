package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// connection is one HTTP connection, used over and over by one writer. It is as
// light as it gets, because what the load costs is missing from the server's
// share of the cores.
type connection struct {
	conn    net.Conn
	reader  *bufio.Reader
	request bytes.Buffer
	address string
	token   string // "" for a server that asks for none
}

func dial(ctx context.Context, address, token string) (*connection, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{conn: conn, reader: bufio.NewReader(conn), address: address, token: token}, nil
}

// answer is what the server said.
type answer struct {
	header http.Header
	body   []byte
}

// do sends a request and reads the answer, which must have that status. Headers
// come in pairs.
func (c *connection) do(want int, method, path, body string, headers ...string) (answer, error) {
	if err := c.conn.SetDeadline(time.Now().Add(writeLimit)); err != nil {
		return answer{}, err
	}
	c.request.Reset()
	fmt.Fprintf(&c.request, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, c.address)
	if c.token != "" {
		fmt.Fprintf(&c.request, "Authorization: Bearer %s\r\n", c.token)
	}
	if body != "" {
		fmt.Fprintf(&c.request, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	for i := 0; i+1 < len(headers); i += 2 {
		fmt.Fprintf(&c.request, "%s: %s\r\n", headers[i], headers[i+1])
	}
	c.request.WriteString("\r\n" + body)
	if _, err := c.conn.Write(c.request.Bytes()); err != nil {
		return answer{}, err
	}
	return c.read(want, method+" "+path)
}

func (c *connection) read(want int, asked string) (answer, error) {
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", asked, err)
	}
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", asked, err)
	}
	if err := response.Body.Close(); err != nil {
		return answer{}, err
	}
	if response.StatusCode != want {
		return answer{}, fmt.Errorf("%s: status %d, not %d: %s", asked, response.StatusCode, want, content)
	}
	return answer{header: response.Header, body: content}, nil
}
