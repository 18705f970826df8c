package export

import (
	"math/big"
	"strconv"
	"strings"

	"samespace-exporter/internal/schema"
)

// decimal is a number as a plain decimal; "" for NULL.
func decimal(t schema.Type, v schema.Value) string {
	switch {
	case v.IsNull():
		return ""
	case t == schema.Integer:
		return strconv.FormatInt(v.Int(), 10)
	case t == schema.Float:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	}
	return v.Str()
}

// plain is a decimal without needless zeros.
func plain(text string) string {
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" || text == "" || text == "-" {
		return "0"
	}
	return text
}

// apart is a minus b, exactly, and that without its sign as a share of the larger one of them.
func apart(a, b string) (difference string, share float64) {
	x, y := rational(a), rational(b)
	d := new(big.Rat).Sub(x, y)
	if d.Sign() == 0 {
		return "0", 0
	}
	larger := x.Abs(x)
	if y.Abs(y).Cmp(larger) > 0 {
		larger = y
	}
	share, _ = new(big.Rat).Quo(new(big.Rat).Abs(d), larger).Float64()
	return plain(d.FloatString(max(places(a), places(b)))), share
}

// sum is a plus b, exactly.
func sum(a, b string) string {
	return plain(new(big.Rat).Add(rational(a), rational(b)).FloatString(max(places(a), places(b))))
}

// rational is a plain decimal as a number; 0 for what is none.
func rational(text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return new(big.Rat)
	}
	return r
}

// places is how many digits a plain decimal has behind its point.
func places(text string) int {
	_, fraction, _ := strings.Cut(text, ".")
	return len(fraction)
}
