package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"samespace-exporter/internal/app"
)

// printf prints a result.
func (c *command) printf(format string, args ...any) { _, _ = fmt.Fprintf(c.stdout, format, args...) }

func (c *command) newMigrate() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the exporter's own tables to the newest version (run does that by itself)",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withApp(cmd.Context(), func(ctx context.Context, program *app.App) error {
				if err := program.Migrate(ctx); err != nil {
					return err
				}
				c.printf("the exporter's tables are current\n")
				return nil
			})
		},
	}
}

func (c *command) newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			c.printf("exporter %s\n", version())
			return nil
		},
	}
}

// version is the module's version, or the commit it was built from.
func version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := build.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(len(s.Value), 12)]
		}
	}
	return "devel"
}

func (c *command) newHealthcheck() *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running daemon whether it is ready (for a container's health check)",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.loadConfig()
			if err != nil {
				return err
			}
			return c.healthcheck(cmd.Context(), cfg.HTTP.Listen)
		},
	}
}

func (c *command) healthcheck(ctx context.Context, listen string) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return &usageError{errors.New("http.listen is off: a daemon without it cannot be asked")}
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("ask daemon: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		var asked *url.Error // says again where it was asked
		if errors.As(err, &asked) {
			err = asked.Err
		}
		return fmt.Errorf("no daemon answers on http.listen: %w; start it with exporter run", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1000))
	if err != nil {
		return fmt.Errorf("ask daemon: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", strings.TrimSpace(string(body)))
	}
	c.printf("ready\n")
	return nil
}
