//! Where faults are said to be.

use crate::config::locate::{Aim, Step, YamlPath, locate};

const TEXT: &str = r#"# a comment
a: 1
b:
  c: [x, {d: "y"}]
  "e.f": &anchor
    g: z
  h:
b: again
[1, 2]: {k: v}
? {l: m}
: n
i: *anchor
é: {j: 2}
"#;

fn path(steps: &str) -> YamlPath {
    steps.split(' ').filter(|step| !step.is_empty()).map(step).collect()
}

fn step(text: &str) -> Step {
    text.parse().map_or_else(|_| Step::Key(text.to_owned()), Step::Index)
}

fn check(steps: &str, aim: Aim, line: usize, column: usize) {
    let found = locate(TEXT, &path(steps), aim);
    assert_eq!((found.line, found.column), (line, column), "{steps} {aim:?}");
}

#[test]
fn values_are_found_and_collections_by_their_key() {
    check("", Aim::Value, 2, 1);
    check("a", Aim::Value, 2, 4);
    check("b", Aim::Value, 3, 1);
    check("b c", Aim::Value, 4, 3);
    check("b c 0", Aim::Value, 4, 7);
    check("b c 1", Aim::Value, 4, 10);
    check("b c 1 d", Aim::Value, 4, 14);
    check("b e.f g", Aim::Value, 6, 8);
    check("b h", Aim::Value, 7, 3);
    check("é j", Aim::Value, 13, 8);
    // An alias is where its anchor is.
    check("i g", Aim::Value, 6, 8);
}

#[test]
fn keys_are_found_by_their_occurrence() {
    check("b", Aim::Key(0), 3, 1);
    check("b", Aim::Key(1), 8, 1);
    check("b c 1 d", Aim::Key(0), 4, 11);
    check("é", Aim::Key(0), 13, 1);
}

#[test]
fn what_is_not_there_is_at_the_node_above() {
    check("z", Aim::Value, 2, 1);
    check("b z", Aim::Value, 3, 1);
    check("b c 9", Aim::Value, 4, 3);
    check("b c 1 z", Aim::Value, 4, 10);
    check("a z y x", Aim::Value, 2, 4);
    check("b h z", Aim::Value, 7, 3);
    check("b", Aim::Key(7), 2, 1);
}

#[test]
fn paths_are_written_without_ambiguity() {
    assert_eq!(path("routes 0 tiers 1").to_string(), "routes[0].tiers[1]");
    assert_eq!(path("tiers a.b c").to_string(), "tiers.\"a.b\".c");
    assert_eq!(YamlPath::root().key("\u{1b}[2J").to_string(), r#""\u{1b}[2J""#);
    assert_eq!(YamlPath::root().to_string(), "");
}
