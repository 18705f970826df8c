package jsonscan

// IsNumber reports whether all of s is one JSON number.
func IsNumber(s string) bool { return s != "" && numberLen(s) == len(s) }

// number passes over the number that begins here.
func (s *Scanner) number() error {
	rest := s.Text[s.Pos:]
	n := numberLen(rest)
	if n == 0 {
		// With a zero more it would be a number: so it was cut short.
		return s.failed("a number is cut short", IsNumber(rest+"0"))
	}
	s.Pos += n
	return nil
}

// numberLen is the length of the JSON number that s begins with; 0 when there is none.
func numberLen(s string) int {
	i := 0
	if s != "" && s[0] == '-' {
		i++
	}
	whole := DigitsLen(s[i:])
	if whole == 0 {
		return 0
	}
	if s[i] == '0' {
		whole = 1 // whatever follows a leading zero is not part of the number
	}
	i += whole
	if i < len(s) && s[i] == '.' {
		fraction := DigitsLen(s[i+1:])
		if fraction == 0 {
			return 0
		}
		i += 1 + fraction
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		exponent := DigitsLen(s[i:])
		if exponent == 0 {
			return 0
		}
		i += exponent
	}
	return i
}

// DigitsLen is how many decimal digits s begins with.
func DigitsLen(s string) int {
	for i := range len(s) {
		if !IsDigit(s[i]) {
			return i
		}
	}
	return len(s)
}

// IsDigit reports whether b is a decimal digit.
func IsDigit(b byte) bool { return b-'0' <= 9 }
