//! How one scalar of the file becomes one value.
//!
//! Owns the way from a scalar to a type, and what a message says when there is none. A scalar that holds a
//! variable is text until it gets here, so every type reads text too: the type that is wanted decides, and
//! never YAML's guess at what a value of the environment looks like (`no`, `1e3`, `~`).
//! Never looks at two scalars at once: that is `validate`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};

/// What a schema's pattern lets pass beside the type's own form: the schema is asked before expansion.
macro_rules! or_variable {
    ($pattern:expr) => {
        concat!("^(?:", $pattern, r")$|\$\{")
    };
}
pub(super) use or_variable;

/// A type that one scalar holds.
pub(super) trait Leaf: Sized {
    /// What a message names as expected.
    const EXPECTED: &'static str;
    const SCHEMA_NAME: &'static str;

    /// The value, or what is wrong with the text. The complaint must not repeat what may be a secret.
    fn from_text(text: &str) -> Result<Self, String>;

    fn from_number(_number: u64) -> Option<Self> {
        None
    }

    fn from_flag(_flag: bool) -> Option<Self> {
        None
    }

    fn schema() -> Schema;
}

struct LeafVisitor<T>(PhantomData<T>);

impl<T: Leaf> Visitor<'_> for LeafVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).map_err(|wrong| E::custom(format_args!("{wrong}, expected {}", T::EXPECTED)))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        T::from_number(number).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<T, E> {
        T::from_flag(flag).ok_or_else(|| E::invalid_type(Unexpected::Bool(flag), &self))
    }
}

pub(super) fn deserialize<'de, T: Leaf, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(LeafVisitor(PhantomData))
}

/// Makes leaves readable by serde and known to the schema.
macro_rules! leaves {
    ($($leaf:ty),+ $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $leaf {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::config::value::deserialize(deserializer)
            }
        }

        impl schemars::JsonSchema for $leaf {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                <$leaf as $crate::config::value::Leaf>::SCHEMA_NAME.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                <$leaf as $crate::config::value::Leaf>::schema()
            }
        }
    )+};
}
pub(super) use leaves;

leaves!(Flag);

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flag(pub(super) bool);

impl Leaf for Flag {
    const EXPECTED: &'static str = "`true` or `false`";
    const SCHEMA_NAME: &'static str = "Flag";

    fn from_text(text: &str) -> Result<Self, String> {
        let flag = text.trim().parse().map(Self);
        flag.map_err(|_| format!("{text:?} is neither"))
    }

    fn from_flag(flag: bool) -> Option<Self> {
        Some(Self(flag))
    }

    fn schema() -> Schema {
        json_schema!({
            "type": ["string", "boolean"],
            "pattern": or_variable!("true|false"),
        })
    }
}

/// A mapping that becomes a `T`, and never a sequence that serde would read by position.
#[derive(Debug, Clone, Default)]
pub(super) struct Section<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Section<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SectionVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for SectionVisitor<T> {
            type Value = Section<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Section<T>, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Section)
            }
        }

        deserializer.deserialize_any(SectionVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Section<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
