package config

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// JSONSchema describes the file for editors. It is made of the tables of keys that read the file.
func JSONSchema() []byte {
	c := defaultConfig()
	described := file(&c).schema
	described["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	described["title"] = "exporter.yaml"
	text, err := json.MarshalIndent(described, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("config: JSON Schema: %v", err)) // not of these types
	}
	return append(text, '\n')
}

// jsonSchema is a piece of a JSON Schema.
type jsonSchema map[string]any

// orExpansion is a schema of something else than text, which a ${...} may stand for as well, and its default,
// if it has one.
func (s jsonSchema) orExpansion(fallback any) jsonSchema {
	either := jsonSchema{"anyOf": []any{s, jsonSchema{"type": "string", "pattern": `\$\{`}}}
	if v := reflect.ValueOf(fallback); v.Kind() == reflect.Bool || !v.IsZero() {
		either["default"] = fallback
	}
	return either
}

func defaultsSchema() jsonSchema {
	d := draft{Dataset: defaultDataset()}
	return object(d.keys()...).schema
}

func reportSchema() jsonSchema {
	d := draft{Dataset: defaultDataset()}
	return jsonSchema{"type": "array", "items": object(d.reportKeys()...).schema}
}

func insightSchema() jsonSchema {
	d := draft{Dataset: defaultDataset()}
	return jsonSchema{"type": "array", "items": object(d.insightKeys()...).schema}
}

func dashboardSchema() jsonSchema {
	d := Dashboard{Schedule: defaultDataset().Schedule, Timezone: defaultDataset().Timezone}
	return jsonSchema{"type": "array", "items": object(d.keys()...).schema}
}
