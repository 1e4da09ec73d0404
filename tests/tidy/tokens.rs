//! Rust's tokens, as far as rules need them: words, signs and strings, with their lines. Comments, characters and the
//! quotes of lifetimes are left out; so is, on demand, what is only compiled for tests.

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// An identifier, a keyword, a number.
    Word(String),
    /// One sign, but `::` is one.
    Sign(String),
    /// What a string literal holds, escapes as they are.
    Text(String),
}

impl Token {
    pub(super) fn is(&self, expected: &str) -> bool {
        matches!(&self.kind, Kind::Word(text) | Kind::Sign(text) if text == expected)
    }
}

pub(super) fn tokens(source: &str) -> Vec<Token> {
    let (mut found, mut line) = (Vec::new(), 1);
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let word = rest
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap_or_default();
        let (len, kind) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), None)
        } else if rest.starts_with("/*") {
            (comment(rest), None)
        } else if let Some((len, text)) = string(rest) {
            (len, Some(Kind::Text(text.to_owned())))
        } else if c == '\'' {
            (quote(rest), None)
        } else if !word.is_empty() {
            (word.len(), Some(Kind::Word(word.to_owned())))
        } else if c.is_whitespace() {
            (c.len_utf8(), None)
        } else {
            let len = if rest.starts_with("::") { 2 } else { c.len_utf8() };
            (len, Some(Kind::Sign(rest.split_at(len).0.to_owned())))
        };
        found.extend(kind.map(|kind| Token { line, kind }));
        let (taken, after) = rest.split_at(len);
        line += taken.matches('\n').count();
        rest = after;
    }
    found
}

/// The length of a block comment; they nest.
fn comment(text: &str) -> usize {
    let mut depth = 0;
    for (at, _) in text.char_indices() {
        let rest = text.split_at(at).1;
        if rest.starts_with("/*") {
            depth += 1;
        } else if rest.starts_with("*/") {
            depth -= 1;
            if depth == 0 {
                return at + 2;
            }
        }
    }
    text.len()
}

/// A string literal at the start, plain or raw, with its prefix: its length, and what it holds.
fn string(text: &str) -> Option<(usize, &str)> {
    let after = text.trim_start_matches(['b', 'c', 'r']);
    let prefix = text.split_at(text.len() - after.len()).0;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let raw = prefix.ends_with('r');
    let body = after.trim_start_matches('#').strip_prefix('"')?;
    let known = ["", "b", "c", "r", "br", "cr"].contains(&prefix) && (raw || hashes == 0);
    let end = match (known, raw) {
        (false, _) => return None,
        (_, true) => body.find(&format!("\"{}", "#".repeat(hashes)))?,
        (_, false) => {
            let mut escaped = false;
            body.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            })?
        }
    };
    Some((text.len() - body.len() + end + 1 + hashes, body.split_at(end).0))
}

/// The length of a character, or of the quote of a lifetime.
fn quote(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    let first = chars.next();
    let second = chars.next();
    match (first, second) {
        (Some((_, '\\')), Some((escaped, _))) => {
            let rest = text.split_at(escaped + 1).1;
            escaped + 2 + rest.find('\'').unwrap_or(0)
        }
        (_, Some((end, '\''))) => end + 1,
        _ => 1,
    }
}

/// Leaves out items under `#[cfg(test)]`.
pub(super) fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        let attribute = attribute(rest);
        let (words, tests) = (attribute.iter(), |name| attribute.iter().any(|token| token.is(name)));
        if words.clone().nth(2).is_some_and(|token| token.is("cfg")) && tests("test") && !tests("not") {
            rest = rest.split_at(attribute.len()).1;
            while !self::attribute(rest).is_empty() {
                rest = rest.split_at(self::attribute(rest).len()).1;
            }
            rest = rest.split_at(item(rest)).1;
        } else {
            kept.push(token.clone());
            rest = after;
        }
    }
    kept
}

/// The attribute at the start, or nothing.
fn attribute(tokens: &[Token]) -> &[Token] {
    match tokens {
        [hash, open, rest @ ..] if hash.is("#") && open.is("[") => {
            let mut depth = 1;
            let end = rest.iter().position(|token| {
                depth += i32::from(token.is("[")) - i32::from(token.is("]"));
                depth == 0
            });
            end.and_then(|end| tokens.get(..end + 3)).unwrap_or(tokens)
        }
        _ => &[],
    }
}

/// The length of an item: up to a semicolon or the end of its block; or to the end of what it is in.
fn item(tokens: &[Token]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        let opens = ["(", "[", "{"].iter().any(|sign| token.is(sign));
        let closes = [")", "]", "}"].iter().any(|sign| token.is(sign));
        depth += i32::from(opens) - i32::from(closes);
        if depth < 0 {
            return at;
        }
        if depth == 0 && (token.is(";") || token.is("}")) {
            return at + 1;
        }
    }
    tokens.len()
}

/// Every path with its line; `a::{b, c::d}` is two. A lone word is a path, too.
pub(super) fn paths(tokens: &[Token]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut rest = tokens;
    while !rest.is_empty() {
        let len = path(rest, &[], &mut found).max(1);
        rest = rest.split_at(len).1;
    }
    found
}

/// Takes the path at the start; returns how many tokens it has.
fn path(tokens: &[Token], before: &[String], found: &mut Vec<(usize, Vec<String>)>) -> usize {
    let mut parts = before.to_owned();
    let mut at = 0;
    loop {
        match tokens.get(at..).unwrap_or_default() {
            [
                Token {
                    kind: Kind::Word(word),
                    line,
                },
                rest @ ..,
            ] => {
                parts.push(word.clone());
                if rest.first().is_some_and(|sign| sign.is("::")) && !rest.get(1).is_some_and(|sign| sign.is("<")) {
                    at += 2;
                } else {
                    found.push((*line, parts));
                    return at + 1;
                }
            }
            [open, ..] if open.is("{") && at > 0 => return at + group(tokens.split_at(at).1, &parts, found),
            [star, ..] if star.is("*") && at > 0 => {
                parts.push("*".into());
                found.push((star.line, parts));
                return at + 1;
            }
            _ => return at,
        }
    }
}

/// Takes `{a, b::c}`.
fn group(tokens: &[Token], before: &[String], found: &mut Vec<(usize, Vec<String>)>) -> usize {
    let mut at = 1;
    while let Some(token) = tokens.get(at) {
        if token.is("}") {
            return at + 1;
        }
        at += path(tokens.split_at(at).1, before, found).max(1);
        // ` as name`
        while tokens.get(at).is_some_and(|token| !token.is(",") && !token.is("}")) {
            at += 1;
        }
        at += usize::from(tokens.get(at).is_some_and(|token| token.is(",")));
    }
    at
}
