package main

import (
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"samespace-exporter/internal/app"
)

// A validator that knows nothing of this program takes the example by the schema, and sees mistakes.
func TestConfigSchema(t *testing.T) {
	t.Parallel()
	r := execute(t, t.Context(), "config", "schema").ends(app.ExitDone)
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(r.stdout))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("exporter.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("exporter.json")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, with, words string }{
		{"the example", "", "", ""},
		{"an unknown key", "source:\n", "source:\n  tmeout: 3s\n", "tmeout"},
		{"a wrong type", "\n  max_attempts: 6", "\n  max_attempts: [6]", "max_attempts"},
		{"an unknown word", "type: integer", "type: integr", "type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(string(example), c.old, c.with, 1)
			if c.old != "" && text == string(example) {
				t.Fatalf("no %q in the example", c.old)
			}
			var value any
			if err := yaml.Unmarshal([]byte(text), &value); err != nil {
				t.Fatal(err)
			}
			err := schema.Validate(value)
			if c.words == "" && err != nil || c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)) {
				t.Errorf("%v, want %q", err, c.words)
			}
		})
	}
	execute(t, t.Context(), "config", "schmea").ends(app.ExitUsage).says(`unknown command "schmea"; did you mean schema`)
	execute(t, t.Context(), "config").ends(app.ExitDone).prints("schema")
}
