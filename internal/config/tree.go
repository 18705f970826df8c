package config

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// node is a value of the file: its text as written, and where that is. YAML's guesses at types are not used:
// a metric id may look like a number.
type node struct {
	kind         kind
	text         string // of a scalar
	plain        bool   // a scalar that YAML takes for a number or a boolean
	entries      []entry
	items        []*node
	line, column int
	size         int // nodes, aliases followed
}

type kind int

const (
	bad kind = iota // reported already
	null
	scalar
	mapping
	list
)

// entry is a key of a mapping and its value, in the file's order.
type entry struct {
	key   *node
	value *node
}

// child is the value of a mapping's key; nil when there is none.
func (n *node) child(key string) *node {
	if n != nil && n.kind == mapping {
		for _, e := range n.entries {
			if e.key.text == key {
				return e.value
			}
		}
	}
	return nil
}

const (
	maxFileBytes = 1 << 20
	maxNodes     = 100_000 // with aliases followed: some lines of YAML can mean billions
)

// tree is the file as nodes. A nil tree is an empty file, or one with a syntax error, which is reported.
func (l *loader) tree(text []byte) *node {
	if len(text) > maxFileBytes {
		l.report(1, 1, "", "the file is larger than 1 MiB; a config should be a few kilobytes")
		return nil
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	// Repeated keys are reported with all the other mistakes, not by the parser.
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		l.reportSyntax(err)
		return nil
	}
	b := treeBuilder{loader: l, anchors: map[string]*node{}}
	var root *node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case root != nil:
			l.report(doc.Body.GetToken().Position.Line, 1, "", "a second YAML document begins here; put everything in one")
			return root
		default:
			root = b.build(doc.Body, "")
		}
	}
	return root
}

func (l *loader) reportSyntax(err error) {
	const right = "check the indentation, quotes and brackets here and on the line before"
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.Token != nil && syntax.Token.Position != nil {
		at := syntax.Token.Position
		l.report(at.Line, at.Column, "", "not YAML: "+syntax.Message+"; "+right)
		return
	}
	l.report(1, 1, "", "not YAML; check the indentation, quotes and brackets") // its text may quote the file
}

// treeBuilder turns the YAML library's syntax tree into nodes and follows aliases.
type treeBuilder struct {
	*loader
	anchors map[string]*node
	nodes   int
}

func (b *treeBuilder) build(from ast.Node, path string) *node {
	n := &node{size: 1}
	if from == nil {
		return n
	}
	if at := from.GetToken(); at != nil && at.Position != nil {
		n.line, n.column = at.Position.Line, max(at.Position.Column, 1)
	}
	switch from := from.(type) {
	case *ast.MappingNode:
		b.addEntries(n, from.Values, path)
	case *ast.MappingValueNode:
		b.addEntries(n, []*ast.MappingValueNode{from}, path)
	case *ast.SequenceNode:
		n.kind = list
		for i, value := range from.Values {
			item := b.build(value, path+"["+strconv.Itoa(i)+"]")
			n.items = append(n.items, item)
			n.size += item.size
		}
	case *ast.AnchorNode:
		anchored := b.build(from.Value, path)
		b.anchors[from.Name.GetToken().Value] = anchored
		return anchored
	case *ast.AliasNode:
		return b.follow(from, n, path)
	case *ast.TagNode:
		b.report(n.line, n.column, path, "has a YAML tag; take the word with the exclamation mark away, or quote the value")
	case *ast.NullNode:
		n.kind = null
	case *ast.LiteralNode:
		n.kind, n.text = scalar, from.Value.Value
	case *ast.StringNode:
		n.kind, n.text = scalar, from.Value
	case ast.ScalarNode:
		n.kind, n.text, n.plain = scalar, strings.TrimSpace(from.GetToken().Value), true
	default:
		b.report(n.line, n.column, path, "is not understood; write a plain value, a list or a mapping")
	}
	return n
}

func (b *treeBuilder) addEntries(n *node, values []*ast.MappingValueNode, path string) {
	n.kind = mapping
	for i, value := range values {
		key := b.buildKey(value.Key)
		if i == 0 && value.Start != nil && value.Start.Type == token.MappingValueType {
			n.line, n.column = key.line, key.column // the library places a block at its first colon
		}
		if key.kind != scalar {
			b.report(key.line, key.column, path, "has a key that is not a plain word; merge keys (<<) are not known, use defaults or an alias")
			continue
		}
		e := entry{key: key, value: b.build(value.Value, join(path, key.text))}
		n.entries = append(n.entries, e)
		n.size += e.value.size
	}
}

func (b *treeBuilder) buildKey(from ast.MapKeyNode) *node {
	n := &node{size: 1}
	if from == nil || from.GetToken() == nil || from.GetToken().Position == nil {
		return n
	}
	at := from.GetToken().Position
	n.line, n.column = at.Line, max(at.Column, 1)
	if _, merge := from.(*ast.MergeKeyNode); merge {
		return n
	}
	if plain, ok := from.(ast.ScalarNode); ok {
		n.kind, n.text = scalar, strings.TrimSpace(plain.GetToken().Value)
	}
	return n
}

func (b *treeBuilder) follow(alias *ast.AliasNode, n *node, path string) *node {
	var target *node
	if alias.Value != nil && alias.Value.GetToken() != nil {
		target = b.anchors[alias.Value.GetToken().Value] // an anchor that holds itself is not there yet
	}
	if target == nil {
		b.report(n.line, n.column, path, "is an alias (*) of nothing above it; quote a value that begins with an asterisk")
		return n
	}
	before := b.nodes
	if b.nodes += target.size; b.nodes <= maxNodes {
		return target
	}
	if before <= maxNodes {
		b.report(n.line, n.column, path, fmt.Sprintf("aliases stand for more than %d values; write fewer", maxNodes))
	}
	return n
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
