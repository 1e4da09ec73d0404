//! What is wrong with a configuration, and where.
//!
//! Owns the collecting of faults, their order and their wording on the terminal. Never decides what is one.

use std::fmt;

use super::locate::{Aim, Position, YamlPath, locate};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where the text has it.
    pub position: Position,
    /// The YAML path, such as `tiers.local.disk.capacity`; empty for the document as a whole.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub expected: Option<String>,
}

/// Everything that is wrong with one file, in the order of the file; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults {
    file: String,
    list: Vec<Fault>,
}

impl Faults {
    /// Under the name of the file that they are in.
    #[must_use]
    pub fn in_file(self, file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            ..self
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.list.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.list.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            let Position { line, column } = fault.position;
            write!(f, "{end}{}:{line}:{column}: {fault}", self.file)?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.problem)?;
        match &self.expected {
            Some(expected) => write!(f, "; expected {expected}"),
            None => Ok(()),
        }
    }
}

/// Faults on their way, by path; positions are looked up at the end.
#[derive(Debug, Default)]
pub(super) struct Notes {
    list: Vec<Note>,
    /// Nodes that were found faulty and taken out: what is missing below them is no news.
    broken: Vec<YamlPath>,
}

#[derive(Debug)]
struct Note {
    path: YamlPath,
    place: Place,
    problem: String,
    expected: Option<String>,
}

#[derive(Debug)]
enum Place {
    Aim(Aim),
    Known(Position),
}

/// Nobody reads further, and each costs a walk through the text.
const MOST: usize = 100;

impl Notes {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= MOST
    }

    /// A fault of the value at a path.
    pub(super) fn fault(&mut self, path: &YamlPath, problem: impl Into<String>, expected: impl Into<String>) {
        self.push(path, Place::Aim(Aim::Value), problem.into(), Some(expected.into()));
    }

    /// A fault that says all by itself.
    pub(super) fn flaw(&mut self, path: &YamlPath, problem: impl Into<String>) {
        self.push(path, Place::Aim(Aim::Value), problem.into(), None);
    }

    /// A fault of a key, at its n-th occurrence from 0.
    pub(super) fn key_fault(&mut self, path: &YamlPath, nth: usize, problem: String, expected: Option<String>) {
        // Whatever became of the value, the key is still there.
        self.add(path, Place::Aim(Aim::Key(nth)), problem, expected);
    }

    /// A fault of the text, before there are any paths.
    pub(super) fn text_fault(&mut self, position: Position, problem: impl Into<String>, expected: Option<String>) {
        self.push(&YamlPath::root(), Place::Known(position), problem.into(), expected);
    }

    /// From here on, nothing at or below this path is a fault.
    pub(super) fn break_off(&mut self, path: YamlPath) {
        self.broken.push(path);
    }

    pub(super) fn is_broken(&self, path: &YamlPath) -> bool {
        self.broken.iter().any(|broken| path.starts_with(broken))
    }

    /// Whether anything at or below this path was found faulty, so that what it says is not all that was meant.
    pub(super) fn is_doubtful(&self, path: &YamlPath) -> bool {
        self.is_broken(path) || self.broken.iter().any(|broken| broken.starts_with(path))
    }

    fn push(&mut self, path: &YamlPath, place: Place, problem: String, expected: Option<String>) {
        if !self.is_broken(path) {
            self.add(path, place, problem, expected);
        }
    }

    fn add(&mut self, path: &YamlPath, place: Place, problem: String, expected: Option<String>) {
        if !self.is_full() {
            let path = path.clone();
            self.list.push(Note {
                path,
                place,
                problem,
                expected,
            });
        }
    }

    pub(super) fn into_faults(self, text: &str) -> Faults {
        let mut list: Vec<Fault> = self.list.into_iter().map(|note| note.into_fault(text)).collect();
        list.sort_by_key(|fault| fault.position);
        Faults {
            file: "configuration".to_owned(),
            list,
        }
    }
}

impl Note {
    fn into_fault(self, text: &str) -> Fault {
        let position = match self.place {
            Place::Known(position) => position,
            Place::Aim(aim) => locate(text, &self.path, aim),
        };
        Fault {
            position,
            path: self.path.to_string(),
            problem: self.problem,
            expected: self.expected,
        }
    }
}

/// The word that was probably meant.
pub(super) fn nearest<'a>(text: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_lowercase();
    let distances = words.map(|word| (strsim::damerau_levenshtein(&text, word), word));
    let (distance, word) = distances.min_by_key(|(distance, _)| *distance)?;
    // A few letters wrong are a slip; more, or all of them, are another word.
    (distance <= 1 + word.len() / 4 && distance < word.len()).then_some(word)
}

/// The only fault of a file that is no text.
pub(super) fn not_utf8(bytes: &[u8], error: &std::str::Utf8Error) -> Faults {
    let sound = bytes.get(..error.valid_up_to()).unwrap_or_default();
    let sound = String::from_utf8_lossy(sound);
    let position = Position {
        line: 1 + sound.matches('\n').count(),
        column: 1 + sound.rsplit('\n').next().map_or(0, |line| line.chars().count()),
    };
    let mut notes = Notes::default();
    notes.text_fault(position, "this is no UTF-8", Some("text in UTF-8".to_owned()));
    notes.into_faults("")
}
