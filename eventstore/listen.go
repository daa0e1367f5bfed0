package eventstore

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// aboutToReconnect is what the esdb client logs, in the goroutine of the call
// that failed, just before it asks itself for a new connection.
const aboutToReconnect = "unexpected exception: %v"

// lostConnection is the panic by which a call leaves the esdb client early.
type lostConnection struct{ err error }

// listen returns what the esdb client logs to. It calls an error what is daily
// bread here, so all of it is for debugging.
//
// It also stops the client from replacing a lost connection by itself: that
// forgets to close the old one, which then dials on for ever, and blocks every
// call meanwhile, whatever its context says. links does it instead. Logging is
// the one occasion to step in, and leaving by a panic the one way out.
func listen(ctx context.Context, logger *slog.Logger) esdb.LoggingFunc {
	return func(level esdb.LogLevel, format string, args ...any) {
		if logger.Enabled(ctx, slog.LevelDebug) {
			logger.Debug("esdb client", "says", fmt.Sprintf(format, args...), "as", level)
		}
		if format != aboutToReconnect || len(args) != 1 {
			return
		}
		if err, ok := args[0].(error); ok && status.Code(err) == codes.Unavailable {
			panic(lostConnection{err})
		}
	}
}
