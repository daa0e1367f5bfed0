package sqlprojection

import (
	"strings"
	"unicode/utf8"
)

// kind is what a token of SQL is.
type kind uint8

const (
	word    kind = iota // a keyword or a name, as text in lower case
	quoted              // a name between double quotes
	text                // a string, whichever way it is quoted
	other               // one character of a number, an operator or punctuation
	comment             // a comment to the end of a line
)

// token is a piece of SQL. What it was made from is source[from:to].
type token struct {
	kind     kind
	text     string
	from, to int
	depth    int // of parentheses around it
}

func (t token) is(words ...string) bool {
	for _, w := range words {
		if t.kind == word && t.text == w || t.kind == other && t.text == w {
			return true
		}
	}
	return false
}

// lexer cuts SQL into tokens, by the rules of Postgres and no further than is
// needed to find where a statement begins and ends. What could be read in two
// ways, it refuses.
type lexer struct {
	source string
	at     int
	depth  int
	tokens []token
}

func lex(source string) ([]token, error) {
	if i := strings.IndexByte(source, 0); i >= 0 {
		return nil, at(source, i, "a NUL character")
	}
	if !utf8.ValidString(source) {
		return nil, at(source, 0, "the file is not in UTF-8")
	}
	// Postgres ends a line there, too: what follows would be a comment here and SQL there.
	for i := range len(source) {
		if source[i] == '\r' && !strings.HasPrefix(source[i+1:], "\n") {
			return nil, at(source, i, "a carriage return without a line feed")
		}
	}
	l := &lexer{source: source}
	for l.at < len(source) {
		if err := l.next(); err != nil {
			return nil, err
		}
	}
	if l.depth > 0 {
		return nil, at(source, len(source), "a ) is missing")
	}
	return l.tokens, nil
}

func (l *lexer) next() error {
	rest := l.source[l.at:]
	switch c := rest[0]; {
	case strings.IndexByte(" \t\r\n\f\v", c) >= 0:
		l.at++
	case strings.HasPrefix(rest, "--"):
		line, _, _ := strings.Cut(rest, "\n")
		l.add(comment, strings.TrimRight(line, "\r"), len(line))
	case strings.HasPrefix(rest, "/*"):
		return l.block()
	case c == '\'':
		return l.string(false)
	case c == '"':
		return l.until('"', quoted)
	case c == '$':
		return l.dollar()
	case letter(c):
		return l.word()
	default:
		return l.symbol(c)
	}
	return nil
}

func (l *lexer) add(k kind, text string, length int) {
	l.tokens = append(l.tokens, token{kind: k, text: text, from: l.at, to: l.at + length, depth: l.depth})
	l.at += length
}

// block is a comment that may contain further ones, and leaves no token.
func (l *lexer) block() error {
	begin, depth := l.at, 0
	for l.at < len(l.source) {
		switch rest := l.source[l.at:]; {
		case strings.HasPrefix(rest, "/*"):
			depth, l.at = depth+1, l.at+2
		case strings.HasPrefix(rest, "*/"):
			depth, l.at = depth-1, l.at+2
			if depth == 0 {
				return nil
			}
		default:
			l.at++
		}
	}
	return at(l.source, begin, "this comment is never closed")
}

// string ends at a quote that is not doubled. A backslash means something only
// in E'…', and elsewhere depends on a setting.
func (l *lexer) string(escapes bool) error {
	for i := l.at + 1; i < len(l.source); i++ {
		switch l.source[i] {
		case '\\':
			if !escapes {
				return at(l.source, i, `a backslash in a plain string: write E'…' with \\ for it`)
			}
			i++
		case '\'':
			if i+1 < len(l.source) && l.source[i+1] == '\'' {
				i++
				continue
			}
			l.add(text, l.source[l.at:i+1], i+1-l.at)
			return nil
		}
	}
	return at(l.source, l.at, "this string is never closed")
}

func (l *lexer) until(quote byte, k kind) error {
	for i := l.at + 1; i < len(l.source); i++ {
		if l.source[i] != quote {
			continue
		}
		if i+1 < len(l.source) && l.source[i+1] == quote {
			i++
			continue
		}
		l.add(k, l.source[l.at+1:i], i+1-l.at)
		return nil
	}
	return at(l.source, l.at, "this name is never closed")
}

// dollar is a string such as $$…$$ or $tag$…$tag$; a parameter such as $1 is
// nothing that a definition has.
func (l *lexer) dollar() error {
	end := l.at + 1
	for end < len(l.source) && (letter(l.source[end]) || end > l.at+1 && digit(l.source[end])) {
		end++
	}
	if end == len(l.source) || l.source[end] != '$' {
		return at(l.source, l.at, "a $ that begins no string: statements have no parameters")
	}
	tag := l.source[l.at : end+1]
	length := strings.Index(l.source[end+1:], tag)
	if length < 0 {
		return at(l.source, l.at, "this string is never closed")
	}
	l.add(text, "", 2*len(tag)+length)
	return nil
}

func (l *lexer) word() error {
	end := l.at
	for end < len(l.source) && (letter(l.source[end]) || digit(l.source[end]) || l.source[end] == '$') {
		end++
	}
	name := strings.ToLower(l.source[l.at:end])
	if end < len(l.source) && l.source[end] == '\'' && name == "e" {
		l.at = end
		return l.string(true)
	}
	l.add(word, name, end-l.at)
	return nil
}

func (l *lexer) symbol(c byte) error {
	switch c {
	case '(':
		l.add(other, "(", 1)
		l.depth++
		return nil
	case ')':
		if l.depth == 0 {
			return at(l.source, l.at, "a ) that closes nothing")
		}
		l.depth--
	case ';':
		if l.depth > 0 {
			return at(l.source, l.at, "a ; between parentheses: a ) is missing before it")
		}
	case '\\':
		return at(l.source, l.at, "commands of psql, with a backslash, are not SQL")
	}
	l.add(other, string(c), 1)
	return nil
}

// letter tells what can begin a name; beyond ASCII that is anything, as for
// Postgres.
func letter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
