package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"portal.example/commands"
	"portal.example/commands/businesses"
	"portal.example/commands/customers"
	"portal.example/commands/invoices"
	"portal.example/commands/quotes"
	"portal.example/commands/requests"
	"portal.example/eventstore"
	"portal.example/eventstore/node"
	"portal.example/internal/api"
	"portal.example/internal/bookmark"
	"portal.example/internal/reactions"
	"portal.example/internal/telemetry"
	readmodels "portal.example/projections"
	"portal.example/projections/compare"
	"portal.example/projections/runner"
	"portal.example/readapi"
)

// serveCommand is the portal itself.
func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the portal",
		Long: `Serves the portal until it is interrupted: the API, the projections and, unless
PORTAL_EVENTSTORE names another log, the event log. The database is brought up
to date first.` + variablesHelp() + exitHelp,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := readConfig()
			if err != nil {
				return err
			}
			logger := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			stopTracing, err := telemetry.Start(cmd.Context(), telemetry.Config{
				Endpoint: cfg.traces, Version: version(), Logger: logger,
			})
			if err != nil {
				return misusef("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
			}
			defer stopTracing()
			s, err := startServer(cmd.Context(), cfg, logger)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "portal at http://%s\n", s.listener.Addr())
			return s.run(cmd.Context())
		},
	}
}

// server is the running portal.
type server struct {
	*portal
	logger   *slog.Logger
	node     *node.Node // nil where the log is elsewhere
	gate     *businesses.Gate
	traffic  *traffic
	runner   *runner.Runner
	sweeper  *invoices.Sweeper
	reactor  *reactions.Reactor
	listener net.Listener
	http     *http.Server
}

// startServer opens all that the portal stands on. What it serves is reachable
// once it runs.
func startServer(ctx context.Context, cfg config, logger *slog.Logger) (*server, error) {
	proxies, err := api.ParseProxies(cfg.proxies)
	if err != nil {
		return nil, misusef("PORTAL_TRUSTED_PROXIES: %w", err)
	}
	client, n, err := logToServe(ctx, cfg, logger)
	if err != nil {
		return nil, err
	}
	closeLog := client.Close
	if n != nil {
		closeLog = func() error { return errors.Join(client.Close(), n.Close()) }
	}
	p, err := newPortal(ctx, cfg, client, closeLog)
	if err != nil {
		return nil, errors.Join(err, closeLog())
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gate, err := businesses.NewGate(p.tokens, p.room)
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	s := &server{portal: p, logger: logger, node: n, gate: gate, traffic: newTraffic()}
	s.measureRoom(metrics)
	s.runner = runner.New(runner.Config{
		Pool: p.pool, Client: p.log, Codec: p.codec, Projections: projections(), Logger: logger, Registerer: metrics,
		Subscribe: s.follow, Requests: s.traffic, CutOverOnRequest: cfg.cutOver == cutOverOnRequest, Discover: p.sqlCatalog(logger).Discover,
	})
	s.sweeper = &invoices.Sweeper{
		Room: p.room, Client: p.log, Logger: logger,
		Bookmark:  &bookmark.Bookmark{DB: p.pool, Follower: "invoices.sweeper"},
		Subscribe: s.follow,
	}
	s.http = &http.Server{
		Handler:           s.traffic.watch(s.routes(metrics, proxies)),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	var listen net.ListenConfig
	if s.listener, err = listen.Listen(ctx, "tcp", cfg.listen); err != nil {
		return nil, errors.Join(misusef("PORTAL_LISTEN: %w", err), p.close())
	}
	// Before anything is done about jobs, which a wrong log would spoil.
	if err := s.runner.Verify(ctx); err != nil {
		return nil, errors.Join(otherLog(err), s.listener.Close(), p.close())
	}
	if s.reactor, err = newReactor(ctx, p, logger, metrics); err != nil {
		return nil, errors.Join(err, s.listener.Close(), p.close())
	}
	return s, nil
}

// logToServe is the log that PORTAL_EVENTSTORE names, or the portal's own, whose
// node it then owns for as long as it runs.
func logToServe(ctx context.Context, cfg config, logger *slog.Logger) (*eventstore.Client, *node.Node, error) {
	if cfg.eventStore != "" {
		client, err := eventstore.Connect(eventstore.Config{ConnectionString: cfg.eventStore, Logger: logger})
		if err != nil {
			return nil, nil, misusef("PORTAL_EVENTSTORE: %w", err)
		}
		return client, nil, nil
	}
	if err := makeDataFolder(cfg.data); err != nil {
		return nil, nil, err
	}
	n, err := startNode(ctx, node.Config{Dir: cfg.data, Logger: logger, Permanent: commands.Categories()})
	if errors.Is(err, node.ErrLocked) {
		return nil, nil, fmt.Errorf("PORTAL_DATA: %w; a second instance needs PORTAL_EVENTSTORE", err)
	}
	if err != nil {
		return nil, nil, err
	}
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: n.ConnectionString(), Dial: n.Dial, Logger: logger})
	if err != nil {
		return nil, nil, errors.Join(err, n.Close())
	}
	return client, n, nil
}

// follow reads the portal's own log within the process, which spares the
// projections the network.
func (s *server) follow(ctx context.Context, options eventstore.SubscribeOptions) eventstore.Source {
	if s.node == nil {
		return s.log.Subscribe(ctx, options)
	}
	return s.node.Follow(options)
}

// measureRoom shows how much room the portal's own log has. Another log's disk is
// for whoever runs that to watch.
func (s *server) measureRoom(metrics prometheus.Registerer) {
	if s.node == nil {
		return
	}
	metrics.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "portal_log_disk_free_bytes", Help: "Free space on the event log's disk; -1 where it does not tell.",
		}, func() float64 { return float64(s.node.Room().Free) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "portal_log_full", Help: "1 while the event log refuses what is new for want of room, else 0.",
		}, func() float64 {
			if s.node.Room().Full {
				return 1
			}
			return 0
		}),
	)
}

// watchNode fails when the portal's own node has stopped by itself, as on a disk
// that fails to write: without a log there is nothing to serve for long. A full
// disk does not stop it.
func (s *server) watchNode(ctx context.Context) error {
	if s.node == nil {
		return nil
	}
	select {
	case <-s.node.Done():
		return fmt.Errorf("the event log stopped: %w", s.node.Err())
	case <-ctx.Done():
		return nil
	}
}

// routes is everything the portal answers.
func (s *server) routes(metrics *prometheus.Registry, proxies api.Proxies) http.Handler {
	a, router := api.New(api.Config{Version: version(), Tokens: s.gate, Logger: s.logger, Metrics: metrics, Proxies: proxies})
	s.useCases(a)
	readapi.Register(a, readapi.Deps{
		Readers: s.readers, Runner: s.runner, Builds: s.runner, Views: s.views(), Now: s.room.Now, Logger: s.logger,
		Provenance: compare.NewTracer(compare.TracerConfig{
			Pool: s.pool, Log: s.log, Codec: s.codec, Code: s.runner.Code, Disclosed: readmodels.Disclosed,
		}),
		Tables: s.sqlCatalog(s.logger),
	})
	s.health(router)
	router.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	return router
}

func (s *server) useCases(a huma.API) {
	businesses.Routes(a, s.room)
	customers.Register(a, s.room)
	quotes.Register(a, s.room)
	invoices.Register(a, s.room)
	requests.Register(a, s.room)
}

// views is how the read side records that somebody looks at a document.
func (s *server) views() commands.Views { return commands.Views{Room: s.room} }

// health tells whether the process lives, and whether requests are worth
// sending here. Without the log the portal still shows lists and dashboards, and
// with a full one documents, too: that is told and does not make the portal
// unready, which would take the reading away as well. No other instance could
// write either, since all of them share the log.
func (s *server) health(router chi.Router) {
	router.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	router.Get("/readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		answer := map[string]string{"database": "ok", "log": "ok"}
		status := http.StatusOK
		if err := s.pool.Ping(ctx); err != nil {
			answer["database"], status = "out of reach", http.StatusServiceUnavailable
		}
		if _, err := s.log.Head(ctx); err != nil {
			answer["log"] = "out of reach"
		} else if s.node != nil && s.node.Room().Full {
			answer["log"] = "full: reads go on, commands are refused"
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer) // whoever went away does not read it
	})
}

// stopLimit is how long a stop waits for requests in progress.
const stopLimit = 10 * time.Second

// run serves until ctx ends, and stops in order: requests first, then what
// works beside them, then what all of it stands on.
func (s *server) run(ctx context.Context) error {
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, failed := errgroup.WithContext(beside)
	group.Go(func() error { return otherLog(s.runner.Run(failed)) })
	group.Go(func() error { return s.sweeper.Run(failed) })
	group.Go(func() error { return s.reactor.Run(failed) })
	group.Go(func() error { return s.watchNode(failed) })
	group.Go(func() error {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	select {
	case <-ctx.Done():
	case <-failed.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	err := s.http.Shutdown(grace)
	stop()
	return errors.Join(err, group.Wait(), s.close())
}

// version is that of the module the binary was built from.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
