//! Variables in scalars: `${NAME}` and `${NAME:-default}`; `$${` is a plain `${`.
//!
//! Owns the expansion of one scalar's text, after parsing: what a variable holds can become no structure, only text,
//! and is not looked at for variables again. Never reads the environment: a lookup is passed in.

/// The environment, as far as the configuration asks for it.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What became of a scalar.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expanded {
    /// There was nothing to do.
    Same,
    Text(String),
    /// Variables, and nothing in them. It counts as left out: `endpoint: ${ENDPOINT:-}` is the default without one.
    Nothing,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    #[error("the variable {0} is not set and has no default")]
    Unset(String),
    #[error("`${{` without `}}`")]
    Open,
    #[error("{0:?} is no name of a variable")]
    Name(String),
}

impl Wrong {
    pub(super) const fn expected(&self) -> &'static str {
        match self {
            Self::Unset(_) => "it in the environment, or `${NAME:-default}`",
            Self::Open | Self::Name(_) => "`${NAME}` or `${NAME:-default}` (`$${` is a plain `${`)",
        }
    }
}

pub(super) fn expand(text: &str, env: Lookup<'_>) -> Result<Expanded, Wrong> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        rest = if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            after
        } else {
            out.push_str(before);
            let (variable, after) = after.split_once('}').ok_or(Wrong::Open)?;
            out.push_str(&value(variable, env)?);
            after
        };
    }
    out.push_str(rest);
    Ok(if out == text {
        Expanded::Same
    } else if out.is_empty() {
        Expanded::Nothing
    } else {
        Expanded::Text(out)
    })
}

/// A default stands in for an empty variable too, as in a shell.
fn value(variable: &str, env: Lookup<'_>) -> Result<String, Wrong> {
    let (name, default) = match variable.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (variable, None),
    };
    if !is_name(name) {
        return Err(Wrong::Name(name.to_owned()));
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Wrong::Unset(name.to_owned())),
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("example.com".into()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${HOST}".into()),
            "YAML" => Some("a: [1, 2]\nb: {c: d}".into()),
            _ => None,
        }
    }

    #[test]
    fn variables_become_text() {
        let check = |text: &str, expected: &str| {
            assert_eq!(expand(text, &env), Ok(Expanded::Text(expected.to_owned())), "{text}");
        };
        check("${HOST}", "example.com");
        check("https://${HOST}:${PORT:-8443}/", "https://example.com:8443/");
        check("${EMPTY:-default}", "default");
        check("${HOST:-default}", "example.com");
        check("a${EMPTY}", "a");
        // What a variable holds is text, whatever it looks like.
        check("${NESTED}", "${HOST}");
        check("${YAML}", "a: [1, 2]\nb: {c: d}");
        // The default ends at the first brace.
        check("${UNSET:-a:-b}}", "a:-b}");
        check("$${HOST}", "${HOST}");
        check("$$${HOST}", "$${HOST}");
        check("$${${HOST}}", "${example.com}");
    }

    #[test]
    fn other_dollars_are_left_alone() {
        for text in ["", "plain", "$", "$HOST", "a$", "$$", "{HOST}", "}{", "$ {HOST}"] {
            assert_eq!(expand(text, &env), Ok(Expanded::Same), "{text}");
        }
    }

    #[test]
    fn nothing_is_left_out() {
        for text in ["${EMPTY}", "${UNSET:-}", "${EMPTY:-}${UNSET:-}"] {
            assert_eq!(expand(text, &env), Ok(Expanded::Nothing), "{text}");
        }
    }

    #[test]
    fn what_is_no_variable_is_a_fault() {
        assert_eq!(expand("${UNSET}", &env), Err(Wrong::Unset("UNSET".into())));
        assert_eq!(expand("a ${HOST", &env), Err(Wrong::Open));
        for name in ["", "1A", "A B", "A-B", "A:+B", "${HOST"] {
            assert_eq!(
                expand(&format!("${{{name}}}"), &env),
                Err(Wrong::Name(name.into())),
                "{name}"
            );
        }
    }
}
