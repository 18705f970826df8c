package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"samespace-exporter/internal/source/simulator"
)

// simulateAddress is where simulate listens, and where the demo's config looks for it.
const simulateAddress = "127.0.0.1:8090"

// simulatedKey is the key of the simulated API: it guards nothing.
const simulatedKey = "simulated-key"

func (c *command) newSimulate() *cobra.Command {
	listen, seed := simulateAddress, uint64(1)
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Serve a simulated API, for trying configs",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			listener, err := net.Listen("tcp", listen)
			if err != nil {
				return &usageError{fmt.Errorf("%w; choose another address with --listen", err)}
			}
			c.printf("endpoint  %s\nx-api-key %s\n", endpoint(listener), simulatedKey)
			for _, r := range simulator.Reports() {
				c.printf("report    %s  %s, about %d rows a day\n", r.ID, r.Name, r.RowsPerDay)
			}
			for _, id := range []string{simulator.DashboardID, simulator.FloorDashboardID} {
				c.printf("dashboard %s\n", id)
				for _, insight := range simulator.InsightsOf(id) {
					c.printf("insight   %s\n", insight)
				}
			}
			return simulate(cmd.Context(), listener, simulator.Options{Seed: seed})
		},
	}
	cmd.Flags().StringVar(&listen, "listen", listen, "address")
	cmd.Flags().Uint64Var(&seed, "seed", seed, "chooses the rows")
	return cmd
}

func endpoint(l net.Listener) string { return fmt.Sprintf("http://%s/analytics/api", l.Addr()) }

// simulate serves the simulated API until ctx ends.
func simulate(ctx context.Context, listener net.Listener, o simulator.Options) error {
	o.APIKey = simulatedKey
	server := &http.Server{
		Handler:           simulator.New(o),
		ReadHeaderTimeout: 10 * time.Second,
	}
	var group errgroup.Group
	ctx, cancel := context.WithCancel(ctx)
	group.Go(func() error {
		defer cancel()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve simulated API: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
	return group.Wait()
}
