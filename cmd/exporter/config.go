package main

import (
	"github.com/spf13/cobra"

	"samespace-exporter/internal/config"
)

func (c *command) newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:                        "config",
		Short:                      "About the config file",
		Args:                       knownCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the config file, for editors",
		Long: `Prints the JSON Schema of the config file. An editor that knows it completes keys, shows their
defaults and marks mistakes. For yaml-language-server (VS Code, Neovim, Helix, ...) name it in the
first line of exporter.yaml:

  # yaml-language-server: $schema=exporter.schema.json`,
		Example: "  exporter config schema > exporter.schema.json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			c.printf("%s", config.JSONSchema())
			return nil
		},
	})
	return cmd
}
