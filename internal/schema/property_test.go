package schema_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"samespace-exporter/internal/schema"
)

func zones() []string {
	return []string{"UTC", "Asia/Kolkata", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"}
}

// numbers are JSON numbers of all spellings, few of them beyond the limits.
func numbers() *rapid.Generator[string] {
	return rapid.StringMatching(`-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,8}0{0,12})?([eE][+-]?[0-9]{1,2})?`)
}

func TestNumbersKeepTheirValue(t *testing.T) {
	canonical := regexp.MustCompile(`^(0|-?[1-9][0-9]*(\.[0-9]*[1-9])?|-?0\.[0-9]*[1-9])$`)
	rapid.Check(t, func(rt *rapid.T) {
		text := numbers().Draw(rt, "number")
		exact, ok := new(big.Rat).SetString(text)
		if !ok {
			rt.Fatalf("math/big does not take %s", text)
		}
		asText := rapid.Bool().Draw(rt, "sent as text")
		sent := text
		if asText {
			sent = strconv.Quote(text)
		}

		row, err := mapOne(t, schema.Numeric, "UTC", sent)
		if err != nil {
			rt.Fatal(err)
		}
		got, ok := new(big.Rat).SetString(row.Values[0].Str())
		if !ok || got.Cmp(exact) != 0 || !canonical.MatchString(row.Values[0].Str()) {
			rt.Errorf("numeric: %s became %s", text, row.Values[0].Str())
		}

		row, err = mapOne(t, schema.Integer, "UTC", sent)
		if fits := exact.IsInt() && exact.Num().IsInt64(); fits != (err == nil) {
			rt.Errorf("integer: %s gave error %v", text, err)
		} else if fits && row.Values[0].Int() != exact.Num().Int64() {
			rt.Errorf("integer: %s became %d", text, row.Values[0].Int())
		}
	})
}

func TestInstantsKeepTheirValue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		zone := rapid.SampledFrom(zones()).Draw(rt, "zone")
		location, err := time.LoadLocation(zone)
		if err != nil {
			rt.Fatal(err)
		}
		micros := rapid.Int64Range(-5e15, 5e15).Draw(rt, "micros")
		at := time.UnixMicro(micros).In(location).Round(time.Second)
		if rapid.Bool().Draw(rt, "with a fraction") {
			at = time.UnixMicro(micros).In(location)
		}
		if _, offset := at.Zone(); offset%60 == 0 { // local mean time has no RFC 3339 form
			row, err := mapOne(t, schema.Timestamptz, "UTC", strconv.Quote(at.Format(time.RFC3339Nano)))
			if err != nil || !row.Values[0].Time().Equal(at) {
				rt.Errorf("%s became %v, %v", at.Format(time.RFC3339Nano), row, err)
			}
		}
		const local = "2006-01-02T15:04:05.999999"
		row, err := mapOne(t, schema.Timestamptz, zone, strconv.Quote(at.Format(local)))
		if err != nil {
			rt.Fatal(err)
		}
		got := row.Values[0].Time().In(location)
		if got.Format(local) != at.Format(local) || got.After(at) {
			rt.Errorf("%v became %v", at, got)
		}
	})
}

// jsonTexts are two texts of one JSON value, and the value: they differ in the order of names, in white
// space and in how numbers and characters are spelled.
type jsonTexts struct {
	one, other string
	value      any // numbers are json.Number, in plain form
}

func jsonValues(depth int) *rapid.Generator[jsonTexts] {
	return rapid.Custom(func(t *rapid.T) jsonTexts {
		most := 6
		if depth == 0 {
			most = 4
		}
		switch rapid.IntRange(0, most).Draw(t, "kind") {
		case 0:
			return jsonTexts{"null", "null", nil}
		case 1:
			b := rapid.Bool().Draw(t, "boolean")
			return jsonTexts{fmt.Sprint(b), fmt.Sprint(b), b}
		case 2, 3:
			return jsonNumber(t)
		case 4:
			s := rapid.StringOf(rapid.SampledFrom([]rune("ab\"\\/\n\x01\u007fé\u2028\uFFFD😀"))).Draw(t, "string")
			return jsonTexts{spellString(t, s), spellString(t, s), s}
		case 5:
			return jsonArray(t, depth)
		default:
			return jsonObject(t, depth)
		}
	})
}

func jsonNumber(t *rapid.T) jsonTexts {
	n := rapid.Int64Range(-1e6, 1e6).Draw(t, "number")
	plain := fmt.Sprint(n)
	return jsonTexts{
		one:   rapid.SampledFrom([]string{plain, plain + ".0", plain + "e0"}).Draw(t, "spelling"),
		other: rapid.SampledFrom([]string{fmt.Sprint(n*100) + "E-2", plain + ".000", fmt.Sprint(n*10) + ".0e-1"}).Draw(t, "other spelling"),
		value: json.Number(plain),
	}
}

func jsonArray(t *rapid.T, depth int) jsonTexts {
	elements := rapid.SliceOfN(jsonValues(depth-1), 0, 3).Draw(t, "elements")
	var one, other []string
	value := []any{}
	for _, e := range elements {
		one, other, value = append(one, e.one), append(other, e.other), append(value, e.value)
	}
	return jsonTexts{"[" + strings.Join(one, ",") + "]", "[ " + strings.Join(other, "\n, ") + "\t]", value}
}

func jsonObject(t *rapid.T, depth int) jsonTexts {
	members := rapid.MapOfN(rapid.StringOfN(rapid.RuneFrom([]rune("aé\"\n")), 0, 2, -1), jsonValues(depth-1), 0, 4).Draw(t, "members")
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	var one, other []string
	value := map[string]any{}
	for _, name := range names {
		m := members[name]
		one = append(one, spellString(t, name)+":"+m.one)
		value[name] = m.value
	}
	for _, name := range rapid.Permutation(names).Draw(t, "order") {
		if rapid.Bool().Draw(t, "overwritten") {
			other = append(other, spellString(t, name)+": [1]")
		}
		other = append(other, spellString(t, name)+" :\r"+members[name].other)
	}
	return jsonTexts{"{" + strings.Join(one, ",") + "}", "{ " + strings.Join(other, " , ") + "}", value}
}

// spellString writes s with escapes where they must be, and elsewhere by chance.
func spellString(t *rapid.T, s string) string {
	escapeAll := rapid.Bool().Draw(t, "escape all")
	var out strings.Builder
	for _, r := range s {
		switch {
		case r > 0xFFFF && escapeAll:
			fmt.Fprintf(&out, `\u%04x\u%04X`, 0xD800+(r-0x10000)>>10, 0xDC00+(r-0x10000)&0x3FF)
		case r < ' ' || escapeAll:
			fmt.Fprintf(&out, `\u%04X`, r)
		case r == '"' || r == '\\':
			out.WriteString(`\` + string(r))
		default:
			out.WriteRune(r)
		}
	}
	return `"` + out.String() + `"`
}

func TestCanonicalJSONIsTheSameForEqualValuesOnly(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		texts := jsonValues(3).Draw(rt, "value")
		one, err := schema.CanonicalJSON(texts.one)
		if err != nil {
			rt.Fatal(err)
		}
		other, err := schema.CanonicalJSON(texts.other)
		if err != nil || one != other {
			rt.Errorf("%s and %s became %s and %s, %v", texts.one, texts.other, one, other, err)
		}
		if again, err := schema.CanonicalJSON(one); err != nil || again != one {
			rt.Errorf("%s became %s, %v", one, again, err)
		}
		decoder := json.NewDecoder(strings.NewReader(one))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil || !reflect.DeepEqual(value, texts.value) {
			rt.Errorf("%s became %s: its value is %v, not %v, %v", texts.one, one, value, texts.value, err)
		}
	})
}
