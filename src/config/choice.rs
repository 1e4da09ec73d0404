//! Values out of a closed set of words.
//!
//! Owns the words and what each means. Never says which of them go together: that is `validate`.

use super::fault::nearest;
use super::value::{Leaf, leaves};

/// An enum whose variants are words of the configuration; their doc comments are the schema's descriptions.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])+
        $vis:vis enum $name:ident expects $expected:literal {
            $( $(#[doc = $about:literal])+ $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $vis enum $name {
            $( $(#[doc = $about])+ $variant, )+
        }

        impl $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word of the configuration.
            #[must_use]
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $word, )+
                }
            }
        }

        impl Leaf for $name {
            const EXPECTED: &'static str = $expected;
            const SCHEMA_NAME: &'static str = stringify!($name);

            fn from_text(text: &str) -> Result<Self, String> {
                let found = Self::ALL.iter().find(|value| value.as_str() == text);
                found.copied().ok_or_else(|| unknown(text, Self::ALL.iter().map(|value| value.as_str())))
            }

            fn schema() -> schemars::Schema {
                schemars::json_schema!({
                    "description": concat!($($doc, "\n"),+).trim(),
                    "oneOf": [
                        $( { "const": $word, "description": concat!($($about, "\n"),+).trim() }, )+
                        { "type": "string", "pattern": r"\$\{" },
                    ],
                })
            }
        }

        leaves!($name);
    };
}

fn unknown(text: &str, words: impl Iterator<Item = &'static str>) -> String {
    match nearest(text, words) {
        Some(word) => format!("unknown value {text:?}, did you mean `{word}`?"),
        None => format!("unknown value {text:?}"),
    }
}

choice! {
    /// Which requests leave a line in the log.
    pub enum AccessLog expects "`off`, `errors`, `all` or `sample`" {
        /// None.
        Off = "off",
        /// Errors, fallbacks, pin mismatches and slow requests.
        Errors = "errors",
        /// Every request. It costs more than a small answer does.
        All = "all",
        /// What `errors` logs, and one of `access_log_sample` others.
        Sample = "sample",
    }
}

choice! {
    /// What the 404 of a tier means.
    pub enum Role expects "`origin` or `cache`" {
        /// It is the truth: its 404 means that there is no such object.
        Origin = "origin",
        /// It is a copy: its 404 means that it does not have the object.
        Cache = "cache",
    }
}

choice! {
    /// What becomes of reads that AWS SDKs sign (SigV4 in `Authorization`), where a tier is the last of its route.
    pub enum Signatures expects "`pass` or `drop`" {
        /// Its servers check them: what is signed is passed on as it came, and not stored.
        Pass = "pass",
        /// Its servers do not look at them, as Pinstripes before S3 do not: reads are answered and stored as if they were not
        /// signed, and signatures are not sent on. Needs `auth: shared`.
        Drop = "drop",
    }
}

choice! {
    /// Who answers the first read of an object, the one that learns its size and ETag.
    pub enum Discovery expects "`authority` or `nearest`" {
        /// The authority, always: replicas agree on the revision.
        Authority = "authority",
        /// The nearest tier that has a copy, as other caches do. For comparison: replicas may disagree.
        Nearest = "nearest",
    }
}

choice! {
    /// Who may read what was stored for a request with credentials.
    pub enum Auth expects "`bypass`, `check` or `shared`" {
        /// Requests with credentials pass through and are not stored.
        Bypass = "bypass",
        /// Stored once; the authority confirms each credential. Not available yet.
        Check = "check",
        /// Whoever reaches the listener may read: all clients are one tenant. An S3 authority needs it said.
        Shared = "shared",
    }
}

choice! {
    /// Whose habits clients expect: of plain HTTP or of S3.
    pub(super) enum Dialect expects "`auto`, `http` or `s3`" {
        /// S3's for an S3 authority, otherwise HTTP's.
        Auto = "auto",
        /// RFC 9110's.
        Http = "http",
        /// S3's: part numbers, XML errors, `Content-Range` on HEAD.
        S3 = "s3",
    }
}

choice! {
    /// What a route with an S3 authority does with anything but reads.
    pub enum Writes expects "`deny` or `allow`" {
        /// Refuses them.
        Deny = "deny",
        /// Sends them on. Not available yet.
        Allow = "allow",
    }
}
