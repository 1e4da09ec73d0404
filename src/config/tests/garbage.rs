//! Whatever the text: no panic, and either a configuration or faults that point into it. What is accepted, the schema
//! accepts as well.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::EXAMPLE;
use crate::config::{Config, schema};

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| jsonschema::validator_for(&schema()).unwrap());

/// The schema is asked of what was written, so only where nothing is expanded is it asked of the same.
fn accepted_by_schema(text: &str) -> bool {
    let tree: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    let json = serde_json::to_value(tree).unwrap();
    SCHEMA.is_valid(&json)
}

fn check(text: &str) {
    match Config::parse(text, &|name| (name.len() > 3).then(|| "x".to_owned())) {
        Ok(_) => assert!(accepted_by_schema(text), "{text}"),
        Err(faults) => {
            assert!(faults.iter().count() > 0);
            let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
            let inside = faults
                .iter()
                .all(|fault| (1..=lines + 1).contains(&fault.position.line) && fault.position.column > 0);
            assert!(inside, "{faults} in {text:?}");
        }
    }
}

const SNIPPETS: [&str; 27] = [
    "${", "}", "${X}", "${LONG}", "${X:-y}", ": ", "- ", "[", "]", "{", "*a", "&a ", "!t ", "'", "\"", "#", "\n",
    "\n  ", "~", "null", "0", "-1", "1e999", "true", "|\n", "<<: ", "\u{0}",
];

/// One change to a text, at a character's border.
fn change(text: &str, at: Index, cut: usize, put: &str) -> String {
    let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let from = at.index(borders.len());
    let to = (from + cut).min(borders.len() - 1);
    format!("{}{put}{}", &text[..borders[from]], &text[borders[to]..])
}

proptest! {
    #[test]
    fn any_text(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_yaml(parts in prop::collection::vec(prop_oneof![select(&SNIPPETS[..]), select(&["a", "tiers", "routes", "disk"][..])], 0..40)) {
        check(&parts.concat());
    }

    #[test]
    fn a_damaged_configuration(
        changes in prop::collection::vec((any::<Index>(), 0..4_usize, prop_oneof![select(&SNIPPETS[..]), Just("")]), 1..4)
    ) {
        let damaged = changes.iter().fold(EXAMPLE.to_owned(), |text, (at, cut, put)| change(&text, *at, *cut, put));
        check(&damaged);
    }

    #[test]
    fn lines_left_out_or_twice(copies in prop::collection::vec(prop_oneof![8 => Just(1), 1 => Just(0), 1 => Just(2_usize)], 64)) {
        let lines = EXAMPLE.lines().zip(copies).flat_map(|(line, copies)| vec![line; copies]);
        check(&lines.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Config::parse_bytes(&bytes, &|_| None);
    }
}
