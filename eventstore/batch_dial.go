package eventstore

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Fixed windows spare the estimates of the bandwidth, with a ping for nearly every
// message, that gRPC makes otherwise. Answers are small.
const (
	batchWindow     = 256 << 10
	batchConnWindow = 1 << 20
)

// dialBatches prepares a connection as the connection string asks for it. It keeps
// itself up, at the pace of the backoff.
func dialBatches(
	conf esdb.Configuration, dialer func(context.Context) (net.Conn, error), pace Backoff,
) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{
		grpc.WithInitialWindowSize(batchWindow),
		grpc.WithInitialConnWindowSize(batchConnWindow),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: pace.Min, Multiplier: 2, Jitter: 0.5, MaxDelay: pace.Max},
			MinConnectTimeout: *conf.DefaultDeadline,
		}),
	}
	if conf.KeepAliveInterval >= 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: conf.KeepAliveInterval, Timeout: conf.KeepAliveTimeout, PermitWithoutStream: true,
		}))
	}
	if dialer != nil {
		options = append(options, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return dialer(ctx)
		}))
	}
	if conf.DisableTLS {
		return grpc.NewClient(conf.Address, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	}
	settings := &tls.Config{
		RootCAs:            conf.RootCAs,
		InsecureSkipVerify: conf.SkipCertificateVerification, //nolint:gosec // who writes tlsVerifyCert=false asks for it
	}
	if conf.UserCertFile != "" {
		pair, err := tls.LoadX509KeyPair(conf.UserCertFile, conf.UserKeyFile)
		if err != nil {
			return nil, fmt.Errorf("user certificate: %w", err)
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	if conf.Username != "" {
		options = append(options, grpc.WithPerRPCCredentials(basic(conf.Username, conf.Password)))
	}
	return grpc.NewClient(conf.Address, append(options, grpc.WithTransportCredentials(credentials.NewTLS(settings)))...)
}

// account signs calls in. It holds a secret.
type account string

func basic(user, password string) account {
	return account("Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (a account) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": string(a)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (account) RequireTransportSecurity() bool { return true }
