//! From text to a tree of values with its variables expanded.
//!
//! Owns what is wrong with YAML as such: syntax, several documents, keys twice, tags. Never knows which keys exist.

use std::collections::HashMap;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess};
use serde::de::{VariantAccess, Visitor};
use serde_yaml::{Mapping, Value};

use super::expand::{Expanded, Lookup, expand};
use super::fault::Notes;
use super::locate::{Position, Step, YamlPath};

/// Larger than any configuration. Aliases of aliases grow without measure, and this is the measure.
const MOST_NODES: usize = 100_000;

/// The tree of a text; `None` if it has none, which is noted.
pub(super) fn read(text: &str, env: Lookup<'_>, notes: &mut Notes) -> Option<Value> {
    let mut nodes = 0;
    let grow = Grow {
        path: &mut Vec::new(),
        nodes: &mut nodes,
        env,
        notes,
    };
    match grow.deserialize(serde_yaml::Deserializer::from_str(text)) {
        Ok(Value::Null) => {
            notes.text_fault(Position::START, "there is nothing in it", Some(ROOT.to_owned()));
            None
        }
        Ok(tree @ Value::Mapping(_)) => Some(tree),
        Ok(_) => {
            notes.fault(&YamlPath::root(), "this is no mapping", ROOT);
            None
        }
        Err(_) if nodes > MOST_NODES => {
            notes.text_fault(
                Position::START,
                "there is too much in it, with all aliases written out",
                None,
            );
            None
        }
        Err(error) => {
            note_error(text, &error, notes);
            None
        }
    }
}

const ROOT: &str = "a mapping with `listen`, `tiers` and `routes`";

fn note_error(text: &str, error: &serde_yaml::Error, notes: &mut Notes) {
    if let Some(second) = second_document(text) {
        notes.text_fault(second, "a second document begins here", Some("one document".to_owned()));
        return;
    }
    let position = Position::of(error).unwrap_or(Position::START);
    let line = text.lines().nth(position.line.saturating_sub(1)).unwrap_or_default();
    // The commonest slip: a plain scalar in `{ … }` and `[ … ]` ends at a brace.
    let hint = (line.contains("${") && line.contains(['{', '[']))
        .then(|| "quotes around variables inside `{ }` and `[ ]`".to_owned());
    // What is said of the position is on the line already.
    let Position { line, column } = position;
    let problem = error
        .to_string()
        .replacen(&format!(" at line {line} column {column}"), "", 1);
    notes.text_fault(position, problem, hint);
}

/// Where a second document begins, if the first is sound.
fn second_document(text: &str) -> Option<Position> {
    let mut documents = serde_yaml::Deserializer::from_str(text);
    IgnoredAny::deserialize(documents.next()?).ok()?;
    let error = bool::deserialize(documents.next()?).err();
    Some(error.and_then(|error| Position::of(&error)).unwrap_or(Position::START))
}

/// Builds a node, and notes what is wrong in it instead of failing.
struct Grow<'a> {
    path: &'a mut Vec<Step>,
    nodes: &'a mut usize,
    env: Lookup<'a>,
    notes: &'a mut Notes,
}

impl Grow<'_> {
    fn here(&self) -> YamlPath {
        self.path.iter().cloned().collect()
    }

    fn child(&mut self) -> Grow<'_> {
        Grow {
            path: &mut *self.path,
            nodes: &mut *self.nodes,
            env: self.env,
            notes: &mut *self.notes,
        }
    }

    /// Takes a node out of the tree; what it should have been can no longer be missed.
    fn dropped(&mut self) -> Value {
        self.notes.break_off(self.here());
        Value::Null
    }
}

impl<'de> DeserializeSeed<'de> for Grow<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        *self.nodes += 1;
        if *self.nodes > MOST_NODES {
            return Err(de::Error::custom("too many nodes"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Grow<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    /// Numbers that no 64 bits hold are no numbers of a configuration; as text they meet their message.
    fn visit_i128<E>(self, number: i128) -> Result<Value, E> {
        Ok(number.to_string().into())
    }

    fn visit_u128<E>(self, number: u128) -> Result<Value, E> {
        Ok(number.to_string().into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E>(mut self, text: &str) -> Result<Value, E> {
        match expand(text, self.env) {
            Ok(Expanded::Same) => Ok(text.into()),
            Ok(Expanded::Text(text)) => Ok(text.into()),
            Ok(Expanded::Nothing) => Ok(Value::Null),
            Err(wrong) => {
                self.notes.fault(&self.here(), wrong.to_string(), wrong.expected());
                Ok(self.dropped())
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            self.path.push(Step::Index(list.len()));
            let element = seq.next_element_seed(self.child());
            self.path.pop();
            match element? {
                Some(element) => list.push(element),
                None => return Ok(list.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut mapping = Mapping::new();
        let mut again: HashMap<String, usize> = HashMap::new();
        while let Some(key) = map.next_key::<Key>()? {
            let Key(Some(key)) = key else {
                self.notes.fault(&self.here(), "a key that is not text", "text");
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if mapping.contains_key(key.as_str()) {
                let nth = again.entry(key.clone()).or_default();
                *nth += 1;
                self.note_again(&key, *nth);
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.path.push(Step::Key(key.clone()));
            let value = map.next_value_seed(self.child());
            self.path.pop();
            mapping.insert(key.into(), value?);
        }
        Ok(mapping.into())
    }

    fn visit_enum<A: EnumAccess<'de>>(mut self, data: A) -> Result<Value, A::Error> {
        let (tag, contents) = data.variant::<String>()?;
        contents.newtype_variant::<IgnoredAny>()?;
        self.notes
            .fault(&self.here(), format!("a tag, {tag:?}"), "a plain value");
        Ok(self.dropped())
    }
}

impl Grow<'_> {
    fn note_again(&mut self, key: &str, nth: usize) {
        let path = self.here().key(key);
        self.notes
            .key_fault(&path, nth, "this key was there before".to_owned(), None);
    }
}

/// A key, if it is text.
struct Key(Option<String>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Any YAML, since a key may be a collection.
        Value::deserialize(deserializer).map(|key| match key {
            Value::String(key) => Self(Some(key)),
            _ => Self(None),
        })
    }
}
