package config

import (
	"fmt"
	"log/slog"
)

// secretText is all that is ever shown of a Secret.
const secretText = "<secret>"

// Secret is a text that does not print: fmt, slog, JSON and YAML all show "<secret>". The zero Secret is not
// set. The text sits behind a pointer, so that fmt shows an address where it may not call methods.
type Secret struct{ text *string }

// NewSecret is a Secret that is set, even if text is empty.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal is the text; "" when the secret is not set.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsSet reports whether there is a secret.
func (s Secret) IsSet() bool { return s.text != nil }

// Format writes "<secret>" for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(secretText)) }

// String is "<secret>".
func (s Secret) String() string { return secretText }

// LogValue is "<secret>".
func (s Secret) LogValue() slog.Value { return slog.StringValue(secretText) }

// MarshalText is "<secret>".
func (s Secret) MarshalText() ([]byte, error) { return []byte(secretText), nil }
