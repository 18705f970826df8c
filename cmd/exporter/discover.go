package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/config"
)

// discoverFlags are the flags of discover.
type discoverFlags struct {
	report, name, timezone, endpoint string
	dashboards                       []string
	hideExamples, write              bool
}

func (c *command) newDiscover() *cobra.Command {
	var f discoverFlags
	cmd := c.jsonFlag(&cobra.Command{
		Use:   "discover --report ID [--dashboard ID]...",
		Short: "Propose a mapping for a report, from a sample of its rows",
		Long: `Asks the API for some rows of a report, and prints a section for the config: a name and a type
for each metric id, the key, the time field, which ids are copies of others, and how sure each
of these is. Dashboards are read for the titles of metrics, which the API tells nowhere else.

It needs an endpoint and a key: those of the config, or --endpoint and SAMESPACE_API_KEY. It
changes nothing, unless told to --write.`,
		Example: `  exporter discover --report 6007d54273902f0069dc68dc --dashboard 64708408b289a50051bd6781
  exporter discover --report 6007d54273902f0069dc68dc --name calls --write`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.discover(cmd.Context(), f) },
	})
	flags := cmd.Flags()
	flags.StringVar(&f.report, "report", "", "id of the report")
	flags.StringArrayVar(&f.dashboards, "dashboard", nil, "id of a dashboard whose filters name metrics (may be given several times)")
	flags.StringVar(&f.name, "name", "", "name of the dataset (default: report_ and the end of its id)")
	flags.StringVar(&f.timezone, "timezone", "", "IANA name of the report's timezone (default: that of the config's defaults)")
	flags.StringVar(&f.endpoint, "endpoint", "", "the API, where there is no config yet; the key is SAMESPACE_API_KEY")
	flags.BoolVar(&f.hideExamples, "hide-examples", false, "leave values of rows out: they may be private")
	flags.BoolVar(&f.write, "write", false, "add the section to the config, and leave all else in it as it is")
	return cmd
}

func (c *command) discover(ctx context.Context, f discoverFlags) error {
	switch {
	case f.report == "":
		return &usageError{errors.New("--report is missing: the id of the report, as in --report 6007d54273902f0069dc68dc")}
	case f.write && c.json:
		return &usageError{errors.New("--write and --json exclude each other")}
	}
	source, err := c.sourceOf(f)
	if err != nil {
		return err
	}
	asked := app.Discovery{Report: f.report, Dashboards: f.dashboards, Timezone: f.timezone}
	if isTerminal(c.stderr) {
		asked.Say = func(what string) { _, _ = fmt.Fprintln(c.stderr, "exporter:", what) }
	}
	found, err := app.Discover(ctx, source, app.Options{Version: version()}, asked)
	if err != nil {
		return err
	}
	section := app.Section{
		Name: cmp.Or(f.name, "report_"+f.report[max(0, len(f.report)-6):]), ReportID: f.report,
		Since: time.Now().UTC().AddDate(0, -1, 0), Timezone: f.timezone, HideExamples: f.hideExamples,
	}
	switch {
	case c.json:
		return c.printJSON(found)
	case f.write:
		return c.addToConfig(found, section)
	}
	c.printf("reports:\n%s", found.YAML(section))
	return nil
}

// sourceOf is the API that is asked: the config's, or the one that the flags name.
func (c *command) sourceOf(f discoverFlags) (config.Source, error) {
	if f.endpoint == "" {
		cfg, err := c.loadConfig()
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("%w; or give --endpoint, and the key as SAMESPACE_API_KEY", err)
			}
			return config.Source{}, err
		}
		return cfg.Source, nil
	}
	if os.Getenv("SAMESPACE_API_KEY") == "" {
		return config.Source{}, &usageError{errors.New("--endpoint needs the API's key in the environment: set SAMESPACE_API_KEY")}
	}
	text := fmt.Sprintf("source: {endpoint: %q, api_key: \"${SAMESPACE_API_KEY}\"}\n", f.endpoint)
	cfg, err := config.Parse("--endpoint", []byte(text), os.LookupEnv, os.ReadFile)
	if err != nil {
		return config.Source{}, &usageError{err}
	}
	return cfg.Source, nil
}

// addToConfig merges the proposal into the config file, which must still load.
func (c *command) addToConfig(found app.Discovered, section app.Section) error {
	text, err := os.ReadFile(c.configPath)
	if err != nil {
		return &usageError{fmt.Errorf("read config: %w; write one with the API's source first", err)}
	}
	addition := config.Addition{ReportID: section.ReportID, Name: section.Name, Section: found.YAML(section)}
	for _, line := range found.FieldLines() {
		addition.Fields = append(addition.Fields, config.FieldLine(line))
	}
	merged, added, err := config.Merge(c.configPath, text, addition)
	if err != nil {
		return &usageError{err}
	}
	if added == "" {
		c.printf("%s has all of it already\n", c.configPath)
		return nil
	}
	if _, err := config.Parse(c.configPath, merged, os.LookupEnv, os.ReadFile); err != nil {
		return &usageError{fmt.Errorf("the config would not load with what was found, so it stays as it is: %w", err)}
	}
	if err := replaceFile(c.configPath, merged); err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	c.printf("added to %s: %s\n", c.configPath, added)
	return nil
}

// replaceFile puts a text in a file's place at once, with the file's mode.
func replaceFile(path string, text []byte) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".exporter-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(next.Name())
		}
	}()
	_, err = next.Write(text)
	err = errors.Join(err, next.Chmod(info.Mode().Perm()), next.Sync(), next.Close())
	if err != nil {
		return err
	}
	return os.Rename(next.Name(), path)
}
