//! The objects to ask for.

use std::path::Path;

use anyhow::{Context, Result, ensure};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) path: String,
    pub(crate) etag: String,
    pub(crate) size: u64,
}

#[expect(clippy::disallowed_methods, reason = "a tool reads the file that it is told to")]
pub(crate) fn load(file: &Path) -> Result<Vec<Target>> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let targets = parse(&text)?;
    ensure!(!targets.is_empty(), "{}: no object in it", file.display());
    Ok(targets)
}

fn parse(text: &str) -> Result<Vec<Target>> {
    let line = |line: &str| {
        let mut parts = line.split_whitespace();
        let target = Target {
            path: parts.next()?.to_owned(),
            etag: parts.next()?.to_owned(),
            size: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(target)
    };
    (1..)
        .zip(text.lines())
        .map(|(number, text)| line(text).with_context(|| format!("line {number}: not PATH ETAG SIZE: {text}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_path_a_tag_and_a_size() {
        let a = Target {
            path: "/a".into(),
            etag: "\"1-2\"".into(),
            size: 7,
        };
        assert_eq!(parse("/a \"1-2\" 7\n").unwrap(), [a]);
        assert!(parse("/a \"1-2\"\n").is_err());
        assert!(parse("/a \"1-2\" 7 8\n").is_err());
        assert!(parse("/a \"1-2\" seven\n").is_err());
    }
}
