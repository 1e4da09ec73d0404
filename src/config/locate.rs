//! Where in the text a YAML path is.
//!
//! Owns paths and positions. No deserializer tells where a value stood, but every one tells where it failed: a seed
//! walks to the path and fails there. Never reports a fault itself.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// The way from the root of a document to a node: `tiers.local.disk`, `routes[0].tiers[1]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct YamlPath(Vec<Step>);

impl YamlPath {
    pub(super) fn root() -> Self {
        Self::default()
    }

    pub(super) fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut path = self.clone();
        path.0.push(step);
        path
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    pub(super) fn parent(&self) -> Option<Self> {
        let (_, parent) = self.0.split_last()?;
        Some(Self(parent.to_vec()))
    }

    pub(super) fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl FromIterator<Step> for YamlPath {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        Self(steps.into_iter().collect())
    }
}

impl fmt::Display for YamlPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    f.write_str(if at == 0 { "" } else { "." })?;
                    if plain(key) {
                        f.write_str(key)?
                    } else {
                        write!(f, "{key:?}")?
                    }
                }
            }
        }
        Ok(())
    }
}

/// A place in the text; both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    pub(super) fn of(error: &serde_yaml::Error) -> Option<Self> {
        let location = error.location()?;
        Some(Self {
            line: location.line(),
            column: location.column(),
        })
    }
}

/// What at a path is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// The value; of a collection, its key.
    Value,
    /// The key, at its n-th occurrence from 0.
    Key(usize),
}

/// The position of a path, or of the nearest node above it that exists.
pub(super) fn locate(text: &str, path: &YamlPath, aim: Aim) -> Position {
    let found = match aim {
        Aim::Key(_) => find(text, path.steps(), aim).map(|(position, _)| position),
        Aim::Value => match find(text, path.steps(), aim) {
            Some((value, Kind::Scalar)) => Some(value),
            Some((value, Kind::Collection)) => {
                Some(find(text, path.steps(), Aim::Key(0)).map_or(value, |(key, _)| key))
            }
            None => None,
        },
    };
    found.unwrap_or_else(|| {
        path.parent()
            .map_or(Position::START, |parent| locate(text, &parent, Aim::Value))
    })
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Scalar,
    Collection,
}

fn find(text: &str, steps: &[Step], aim: Aim) -> Option<(Position, Kind)> {
    let found = Cell::new(None);
    let walk = Walk {
        steps,
        aim,
        found: &found,
    };
    let end = walk.deserialize(serde_yaml::Deserializer::from_str(text));
    Some((Position::of(&end.err()?)?, found.get()?))
}

/// Goes down the steps and fails at the last.
#[derive(Clone, Copy)]
struct Walk<'a> {
    steps: &'a [Step],
    aim: Aim,
    found: &'a Cell<Option<Kind>>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.steps {
            [] => {
                self.found.set(Some(Kind::Scalar));
                deserializer.deserialize_any(Stop(self.found))
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node on the way")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), rest)) = self.steps.split_first() else {
            return Err(de::Error::custom("no mapping on the way"));
        };
        let stop_at = match self.aim {
            Aim::Key(nth) if rest.is_empty() => Some(nth),
            _ => None,
        };
        let mut seen = 0;
        loop {
            let fail = stop_at == Some(seen);
            match map.next_key_seed(KeyIs {
                wanted,
                fail: fail.then_some(self.found),
            })? {
                None => return Err(de::Error::custom("no such key")),
                Some(true) if stop_at.is_none() => return map.next_value_seed(Walk { steps: rest, ..self }),
                Some(is_wanted) => {
                    seen += usize::from(is_wanted);
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((Step::Index(wanted), rest)) = self.steps.split_first() else {
            return Err(de::Error::custom("no sequence on the way"));
        };
        for _ in 0..*wanted {
            seq.next_element::<IgnoredAny>()?;
        }
        seq.next_element_seed(Walk { steps: rest, ..self })?;
        Err(de::Error::custom("no such element"))
    }
}

/// Fails at whatever is there: that visitors refuse what they do not implement is all it needs.
struct Stop<'a>(&'a Cell<Option<Kind>>);

impl<'de> Visitor<'de> for Stop<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the end of the way")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.fail()
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.fail()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.fail()
    }
}

impl Stop<'_> {
    /// Of a collection, and of nothing at all, the key is the better place to point at.
    fn fail<E: de::Error>(self) -> Result<(), E> {
        self.0.set(Some(Kind::Collection));
        Err(E::custom("the end of the way"))
    }
}

/// Whether a key is the wanted one; fails at it if told to.
struct KeyIs<'a> {
    wanted: &'a str,
    fail: Option<&'a Cell<Option<Kind>>>,
}

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeyIs<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<bool, E> {
        match self.fail {
            Some(found) if key == self.wanted => {
                found.set(Some(Kind::Scalar));
                Err(E::custom("the wanted key"))
            }
            _ => Ok(key == self.wanted),
        }
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E: de::Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<bool, A::Error> {
        IgnoredAny::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(|_| false)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<bool, A::Error> {
        IgnoredAny::deserialize(de::value::MapAccessDeserializer::new(map)).map(|_| false)
    }
}
