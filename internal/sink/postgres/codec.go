package postgres

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"samespace-exporter/internal/schema"
)

// How Postgres has each type, on the wire and in SQL. Values travel in the binary format, encoded once from the
// decoded value: it is the fastest by far, and exact.
type wireType struct {
	native   string // as format_type spells it
	oid      uint32
	arrayOID uint32
}

func wireTypeOf(t schema.Type) wireType {
	switch t {
	case schema.Integer:
		return wireType{"bigint", pgtype.Int8OID, pgtype.Int8ArrayOID}
	case schema.Numeric, schema.Duration:
		return wireType{"numeric", pgtype.NumericOID, pgtype.NumericArrayOID}
	case schema.Float:
		return wireType{"double precision", pgtype.Float8OID, pgtype.Float8ArrayOID}
	case schema.Boolean:
		return wireType{"boolean", pgtype.BoolOID, pgtype.BoolArrayOID}
	case schema.Timestamptz:
		return wireType{"timestamp with time zone", pgtype.TimestamptzOID, pgtype.TimestamptzArrayOID}
	case schema.Timestamp:
		return wireType{"timestamp without time zone", pgtype.TimestampOID, pgtype.TimestampArrayOID}
	case schema.Date:
		return wireType{"date", pgtype.DateOID, pgtype.DateArrayOID}
	case schema.JSON:
		return wireType{"jsonb", pgtype.JSONBOID, pgtype.JSONBArrayOID}
	default:
		return wireType{"text", pgtype.TextOID, pgtype.TextArrayOID}
	}
}

const (
	microsPerDay = int64(24 * time.Hour / time.Microsecond)
	jsonbVersion = 1
)

// epochDays is 2000-01-01, where Postgres counts from, in days since the Unix epoch.
const epochDays = 10957

// appendField appends a value behind its length, which is -1 for NULL.
func appendField(buf []byte, t schema.Type, v schema.Value) []byte {
	if v.IsNull() {
		return binary.BigEndian.AppendUint32(buf, math.MaxUint32)
	}
	at := len(buf)
	buf = appendValue(append(buf, 0, 0, 0, 0), t, v)
	binary.BigEndian.PutUint32(buf[at:], uint32(len(buf)-at-4))
	return buf
}

func appendValue(buf []byte, t schema.Type, v schema.Value) []byte {
	switch t {
	case schema.Integer:
		return binary.BigEndian.AppendUint64(buf, uint64(v.Int()))
	case schema.Numeric, schema.Duration:
		return appendNumeric(buf, v.Str())
	case schema.Float:
		return binary.BigEndian.AppendUint64(buf, math.Float64bits(v.Float()))
	case schema.Boolean:
		if v.Bool() {
			return append(buf, 1)
		}
		return append(buf, 0)
	case schema.Timestamptz, schema.Timestamp:
		return binary.BigEndian.AppendUint64(buf, uint64(v.Micros()-epochDays*microsPerDay))
	case schema.Date:
		days := v.Time().Unix()/(24*60*60) - epochDays // midnight: divides without a rest
		return binary.BigEndian.AppendUint32(buf, uint32(int32(days)))
	case schema.JSON:
		return append(append(buf, jsonbVersion), v.Str()...)
	default:
		return append(buf, v.Str()...)
	}
}

// appendArray is a one-dimensional array of the values.
func appendArray(buf []byte, t schema.Type, values []schema.Value) []byte {
	for _, header := range []uint32{1, 0, wireTypeOf(t).oid, uint32(len(values)), 1} { // dimensions, has no NULL, type, length, first index
		buf = binary.BigEndian.AppendUint32(buf, header)
	}
	for _, v := range values {
		buf = appendField(buf, t, v)
	}
	return buf
}

// decodeValue reads what Postgres sent; nil is NULL. Infinities and NaN, which no mapping yields, become values
// that equal none.
func decodeValue(t schema.Type, raw []byte) (schema.Value, error) {
	if raw == nil {
		return schema.Value{}, nil
	}
	if want := wireLength(t); want > 0 && len(raw) != want {
		return schema.Value{}, fmt.Errorf("a %s of %d bytes", t, len(raw))
	}
	switch t {
	case schema.Integer:
		return schema.IntValue(int64(binary.BigEndian.Uint64(raw))), nil
	case schema.Numeric, schema.Duration:
		text, err := appendDecimal(nil, raw)
		return schema.StrValue(string(text)), err
	case schema.Float:
		return schema.FloatValue(math.Float64frombits(binary.BigEndian.Uint64(raw))), nil
	case schema.Boolean:
		return schema.BoolValue(raw[0] != 0), nil
	case schema.Timestamptz, schema.Timestamp:
		return schema.TimeValue(time.UnixMicro(int64(binary.BigEndian.Uint64(raw)) + epochDays*microsPerDay)), nil
	case schema.Date:
		return schema.TimeValue(time.Unix((int64(int32(binary.BigEndian.Uint32(raw)))+epochDays)*24*60*60, 0)), nil
	case schema.JSON:
		if len(raw) == 0 || raw[0] != jsonbVersion {
			return schema.Value{}, fmt.Errorf("a jsonb of an unknown version")
		}
		text, err := schema.CanonicalJSON(string(raw[1:]))
		if err != nil {
			text = string(raw[1:]) // none of ours, so it equals none
		}
		return schema.StrValue(text), nil
	default:
		return schema.StrValue(string(raw)), nil
	}
}

// wireLength is the length of all values of a type; 0 when it varies.
func wireLength(t schema.Type) int {
	switch t {
	case schema.Integer, schema.Float, schema.Timestamptz, schema.Timestamp:
		return 8
	case schema.Date:
		return 4
	case schema.Boolean:
		return 1
	}
	return 0
}

// same reports whether Postgres sent the value. Text, which most values are, is not copied.
func same(t schema.Type, raw []byte, v schema.Value) (bool, error) {
	switch {
	case raw == nil || v.IsNull():
		return raw == nil && v.IsNull(), nil
	case t == schema.Text:
		return string(raw) == v.Str(), nil
	case len(raw) == 8 && (t == schema.Timestamptz || t == schema.Timestamp):
		return int64(binary.BigEndian.Uint64(raw))+epochDays*microsPerDay == v.Micros(), nil
	}
	is, err := decodeValue(t, raw)
	return is == v, err
}

// Numeric on the wire: digits of base 10,000, the first of them worth 10,000 to the power of weight.
const (
	numericHeader   = 8
	numericNegative = 0x4000
	numericSpecial  = 0x8000 // set in NaN and the infinities
)

// appendNumeric encodes a plain decimal.
func appendNumeric(buf []byte, decimal string) []byte {
	sign := uint16(0)
	if strings.HasPrefix(decimal, "-") {
		sign, decimal = numericNegative, decimal[1:]
	}
	whole, fraction, _ := strings.Cut(decimal, ".")
	at := len(buf)
	buf = append(buf, make([]byte, numericHeader)...)
	weight := (len(whole)+3)/4 - 1
	digit := uint16(0)
	for i := range len(whole) {
		digit = digit*10 + uint16(whole[i]-'0')
		if (len(whole)-i)%4 == 1 {
			buf = binary.BigEndian.AppendUint16(buf, digit)
			digit = 0
		}
	}
	for i := 0; i < (len(fraction)+3)/4*4; i++ {
		digit *= 10
		if i < len(fraction) {
			digit += uint16(fraction[i] - '0')
		}
		if i%4 == 3 {
			buf = binary.BigEndian.AppendUint16(buf, digit)
			digit = 0
		}
	}
	header := buf[at:]
	binary.BigEndian.PutUint16(header[0:], uint16((len(header)-numericHeader)/2))
	binary.BigEndian.PutUint16(header[2:], uint16(weight))
	binary.BigEndian.PutUint16(header[4:], sign)
	binary.BigEndian.PutUint16(header[6:], uint16(len(fraction)))
	return buf
}

// appendDecimal decodes a numeric as a plain decimal without needless zeros.
func appendDecimal(buf, raw []byte) ([]byte, error) {
	if len(raw) < numericHeader || len(raw)%2 != 0 {
		return nil, fmt.Errorf("a numeric of %d bytes", len(raw))
	}
	count, weight := int(binary.BigEndian.Uint16(raw)), int(int16(binary.BigEndian.Uint16(raw[2:])))
	sign := binary.BigEndian.Uint16(raw[4:])
	digits := raw[numericHeader:]
	switch {
	case sign&numericSpecial != 0:
		return append(buf, "not a number"...), nil
	case count*2 != len(digits):
		return nil, fmt.Errorf("a numeric of %d digits in %d bytes", count, len(digits))
	case count == 0:
		return append(buf, '0'), nil
	case sign == numericNegative:
		buf = append(buf, '-')
	}
	group := func(i int) uint16 { // the ith, counted from the first one sent
		if i < 0 || i >= count {
			return 0
		}
		return binary.BigEndian.Uint16(digits[2*i:])
	}
	if weight < 0 {
		buf = append(buf, '0')
	} else {
		buf = strconv.AppendUint(buf, uint64(group(0)), 10)
	}
	for i := 1; i <= weight; i++ {
		buf = appendFour(buf, group(i))
	}
	buf = append(buf, '.')
	for i := weight + 1; i < count; i++ {
		buf = appendFour(buf, group(i))
	}
	for buf[len(buf)-1] == '0' {
		buf = buf[:len(buf)-1]
	}
	if buf[len(buf)-1] == '.' {
		buf = buf[:len(buf)-1]
	}
	return buf, nil
}

func appendFour(buf []byte, group uint16) []byte {
	return append(buf, byte('0'+group/1000), byte('0'+group/100%10), byte('0'+group/10%10), byte('0'+group%10))
}
