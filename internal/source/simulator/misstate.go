package simulator

import (
	"encoding/json"
	"strconv"
)

// Misstate adds to a number of every row, by the key that it is sent under: "value" has an insight disagree with the
// report, "previousValue" with itself.
func Misstate(key string, by int) Fault {
	return edit(false, func(pairs []pair) []pair {
		for i, p := range pairs {
			if n, err := strconv.Atoi(string(p.value)); p.id == key && err == nil {
				pairs[i].value = json.RawMessage(strconv.Itoa(n + by))
			}
		}
		return pairs
	})
}
