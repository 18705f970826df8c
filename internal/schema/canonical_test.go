package schema_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"samespace-exporter/internal/schema"
)

func TestCanonicalJSON(t *testing.T) {
	for text, want := range map[string]string{
		" null\n":                            `null`,
		`true`:                               `true`,
		`1.0`:                                `1`,
		`-0.0`:                               `0`,
		`1e3`:                                `1000`,
		`[ ]`:                                `[]`,
		`{ }`:                                `{}`,
		`{"b":{},"a":[{"d":1,"c":2},{}]}`:    `{"a":[{"c":2,"d":1},{}],"b":{}}`,
		`{"b":1,"a":2,"b":3}`:                `{"a":2,"b":3}`,
		`{"a":1,"a":2}`:                      `{"a":2}`,
		`{"aa":1,"b":2,"a":3,"":4}`:          `{"":4,"a":3,"aa":1,"b":2}`,
		`{"\u0061":1,"a":{"z":1,"y":1}}`:     `{"a":{"y":1,"z":1}}`,
		`{"\uFFFD":1,"é":2,"😀":3,"Z":4}`:     "{\"Z\":4,\"é\":2,\"\uFFFD\":1,\"😀\":3}",
		`"\/\u0022\u005c\u0008\u000c\u001F"`: `"/\"\\\b\f\u001f"`,
		`"\u00e9\ud83d\ude00\u2028\u007f"`:   "\"é😀\u2028\u007f\"",
		`["\u0000","\ud800","\udc00\udc00\ud800x"]`: "[\"\uFFFD\",\"\uFFFD\",\"\uFFFD\uFFFD\uFFFDx\"]",
	} {
		if got, err := schema.CanonicalJSON(text); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"\"\x1f\"", ``, ` `, `nul`, `nullx`, `1 2`, `[1,]`, `[,1]`, `{"a"}`, `{1:2}`, `01`, `+1`, `.5`, `'a'`, "\"\xff\"", "\"\t\"", `{"a":1`, `]`, `NaN`,
		strings.Repeat("[", 501) + strings.Repeat("]", 501), `1e1000`,
	} {
		if got, err := schema.CanonicalJSON(text); err == nil {
			t.Errorf("%s: got %s, want an error", text, got)
		}
	}
	if _, err := schema.CanonicalJSON(strings.Repeat("[", 500) + strings.Repeat("]", 500)); err != nil {
		t.Errorf("500 deep: %v", err)
	}
}

func TestOfManyMembersWithOneNameTheLastCounts(t *testing.T) {
	var members []string
	last := map[string]int{}
	for i := range 200 {
		name := fmt.Sprint(i * i % 17)
		members, last[name] = append(members, fmt.Sprintf("%q:%d", name, i)), i
	}
	got, err := schema.CanonicalJSON("{" + strings.Join(members, ",") + "}")
	want, _ := json.Marshal(last) // in order of names too
	if err != nil || got != string(want) {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
