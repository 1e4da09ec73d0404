//! From a tree to the mirror of the file, with all faults of types and keys.
//!
//! Owns the loop that makes a deserializer, which stops at its first fault, tell all: parse, note the fault, take
//! that node out, repeat. Never judges values that are of the right type.

use serde_path_to_error::Segment;
use serde_yaml::Value;

use super::fault::{Notes, nearest};
use super::file::File;
use super::locate::{Step, YamlPath};

/// The mirror; `None` if even taking nodes out led nowhere.
pub(super) fn decode(mut tree: Value, notes: &mut Notes) -> Option<File> {
    while !notes.is_full() {
        let error = match serde_path_to_error::deserialize::<_, File>(tree.clone()) {
            Ok(file) => return Some(file),
            Err(error) => error,
        };
        let path = yaml_path(error.path());
        let message = Message::read(&error.inner().to_string());
        let removed = if message.unknown_key {
            note_unknown_key(&path, &message, notes);
            remove_key(&mut tree, &path)
        } else {
            message.note(&path, notes);
            clear(&mut tree, &path)
        };
        notes.break_off(path);
        // What cannot be taken out would be found again for ever.
        removed?;
    }
    None
}

fn yaml_path(path: &serde_path_to_error::Path) -> YamlPath {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// What serde says, taken apart.
struct Message {
    unknown_key: bool,
    problem: String,
    expected: Option<String>,
}

impl Message {
    fn read(message: &str) -> Self {
        let (problem, expected) = match message.rsplit_once(", expected ") {
            Some((problem, expected)) => (problem, Some(expected.to_owned())),
            None => (message, None),
        };
        let unknown_key = problem.starts_with("unknown field");
        Self {
            unknown_key,
            problem: problem.to_owned(),
            expected,
        }
    }

    fn note(self, path: &YamlPath, notes: &mut Notes) {
        match self.expected {
            Some(expected) => notes.fault(path, self.problem, expected),
            None => notes.flaw(path, self.problem),
        }
    }

    /// The keys that serde names: each in backticks.
    fn keys(&self) -> impl Iterator<Item = &str> {
        self.expected
            .iter()
            .flat_map(|expected| expected.split('`').skip(1).step_by(2))
    }
}

fn note_unknown_key(path: &YamlPath, message: &Message, notes: &mut Notes) {
    let (Some(Step::Key(key)), Some(parent)) = (path.steps().last(), path.parent()) else {
        return notes.flaw(path, message.problem.clone());
    };
    let meant = nearest(key, message.keys());
    let problem = match meant {
        Some(meant) => format!("unknown key, did you mean `{meant}`?"),
        None => "unknown key".to_owned(),
    };
    notes.key_fault(path, 0, problem, message.expected.clone());
    // The key that was meant is not missing: it is misspelt.
    if let Some(meant) = meant {
        notes.break_off(parent.key(meant));
    }
}

fn clear(tree: &mut Value, path: &YamlPath) -> Option<()> {
    let node = path.steps().iter().try_fold(tree, step_into)?;
    if node.is_null() {
        return None;
    }
    *node = Value::Null;
    Some(())
}

fn remove_key(tree: &mut Value, path: &YamlPath) -> Option<()> {
    let (Step::Key(key), above) = path.steps().split_last()? else {
        return None;
    };
    let parent = above.iter().try_fold(tree, step_into)?;
    parent.as_mapping_mut()?.remove(key.as_str()).map(drop)
}

fn step_into<'t>(node: &'t mut Value, step: &Step) -> Option<&'t mut Value> {
    match step {
        Step::Key(key) => node.as_mapping_mut()?.get_mut(key.as_str()),
        Step::Index(index) => node.as_sequence_mut()?.get_mut(*index),
    }
}
