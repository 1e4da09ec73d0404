//! Checksums of a whole object, as an authority names them in its fields.
//!
//! Owns: which fields name one, and how they spell it. Never: computes one.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;

/// An algorithm that an authority may use. The dearest to compute is last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SumKind {
    /// CRC-64/NVME: what blocks are checked by.
    Crc64Nvme,
    /// CRC-32C.
    Crc32c,
    /// CRC-32, as of zlib.
    Crc32,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// SHA-1.
    Sha1,
}

/// A checksum of all bytes of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeSum {
    /// By which algorithm.
    pub kind: SumKind,
    /// Its value, as many bytes as the algorithm makes.
    pub value: Box<[u8]>,
}

/// S3's fields, the ones that cost least to compare first.
const S3: [(&str, SumKind); 5] = [
    ("x-amz-checksum-crc64nvme", SumKind::Crc64Nvme),
    ("x-amz-checksum-sha256", SumKind::Sha256),
    ("x-amz-checksum-crc32c", SumKind::Crc32c),
    ("x-amz-checksum-crc32", SumKind::Crc32),
    ("x-amz-checksum-sha1", SumKind::Sha1),
];

impl WholeSum {
    /// What a head's fields name, if that is a checksum of the whole: of S3's only where S3 says so, since that of a
    /// multipart object may be one of its parts' checksums.
    pub fn named(fields: &HeaderMap) -> Option<Self> {
        let text = |name: &str| fields.get(name)?.to_str().ok().map(str::trim);
        let full = text("x-amz-checksum-type").is_some_and(|kind| kind.eq_ignore_ascii_case("FULL_OBJECT"));
        let s3 = S3.into_iter().filter(|_| full);
        let s3 = s3.filter_map(|(name, kind)| Self::base64(kind, text(name)?)).next();
        s3.or_else(|| repr_digest(fields))
            .or_else(|| digest(fields))
            .or_else(|| Self::hex(SumKind::Sha256, text("x-checksum-sha256")?))
    }

    /// Of a value; `None` if that algorithm makes others.
    pub fn new(kind: SumKind, value: &[u8]) -> Option<Self> {
        let value = value.into();
        Some(Self { kind, value }).filter(|sum| sum.value.len() == kind.length())
    }

    fn base64(kind: SumKind, text: &str) -> Option<Self> {
        Self::new(kind, &BASE64_STANDARD.decode(text).ok()?)
    }

    fn hex(kind: SumKind, text: &str) -> Option<Self> {
        let all_hex = text.len() == 2 * kind.length() && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let digits = text.as_bytes().chunks(2).filter(|_| all_hex);
        let bytes = digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        Self::new(kind, &bytes.collect::<Option<Vec<_>>>()?)
    }
}

/// Those of both digest fields; the one that most servers send is first.
const DIGESTS: [(&str, SumKind); 2] = [("sha-256", SumKind::Sha256), ("sha-512", SumKind::Sha512)];

/// RFC 9530: a dictionary with `sha-256=:base64:`, among others, each perhaps with parameters (RFC 9651 3.2).
fn repr_digest(fields: &HeaderMap) -> Option<WholeSum> {
    let named = |(name, kind)| {
        let (_, rest) = member(fields, "repr-digest", name)?.split_at_checked(1)?;
        let value = member(fields, "repr-digest", name)?.starts_with(':').then_some(rest)?;
        WholeSum::base64(kind, value.split_once(':')?.0)
    };
    DIGESTS.into_iter().find_map(named)
}

/// RFC 3230: `SHA-256=base64`, among others.
fn digest(fields: &HeaderMap) -> Option<WholeSum> {
    let named = |(name, kind)| WholeSum::base64(kind, member(fields, "digest", name)?);
    DIGESTS.into_iter().find_map(named)
}

/// A member of a list of pairs, on whichever line of the field it is.
fn member<'a>(fields: &'a HeaderMap, field: &str, wanted: &str) -> Option<&'a str> {
    let lines = fields.get_all(field).into_iter().filter_map(|line| line.to_str().ok());
    let members = lines
        .flat_map(|line| line.split(','))
        .filter_map(|member| member.trim().split_once('='));
    let mut values = members.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
    values.next().map(|(_, value)| value)
}

impl SumKind {
    /// Its name in logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "crc64nvme",
            Self::Crc32c => "crc32c",
            Self::Crc32 => "crc32",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Sha1 => "sha1",
        }
    }

    /// How many bytes its values have.
    const fn length(self) -> usize {
        match self {
            Self::Crc64Nvme => 8,
            Self::Crc32c | Self::Crc32 => 4,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
            Self::Sha1 => 20,
        }
    }
}

impl fmt::Display for WholeSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.kind.label())?;
        self.value.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    const SHA256_B64: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    const SHA256_HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[track_caller]
    fn check(lines: &[(&str, &str)], expected: Option<&str>) {
        let line = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        let named = WholeSum::named(&lines.iter().map(line).collect());
        assert_eq!(named.map(|sum| sum.to_string()).as_deref(), expected, "{lines:?}");
    }

    #[test]
    fn a_checksum_is_read_where_it_is_one_of_the_whole() {
        let sha256 = format!("sha256:{SHA256_HEX}");
        let sha256 = Some(sha256.as_str());
        let full = ("x-amz-checksum-type", "FULL_OBJECT");
        let crc64 = ("x-amz-checksum-crc64nvme", "AAAAAAAAAAE=");
        check(&[], None);
        check(&[full], None);
        check(&[full, ("x-amz-checksum-sha256", SHA256_B64)], sha256);
        check(
            &[full, ("x-amz-checksum-sha256", SHA256_B64), crc64],
            Some("crc64nvme:0000000000000001"),
        );
        check(&[full, ("x-amz-checksum-crc32", "/////w==")], Some("crc32:ffffffff"));
        check(&[full, ("x-amz-checksum-crc32c", "AAAAAQ==")], Some("crc32c:00000001"));
        // Of parts, or nobody says of what.
        check(&[crc64], None);
        check(&[crc64, ("x-amz-checksum-type", "COMPOSITE")], None);
        check(&[full, ("x-amz-checksum-sha256", &format!("{SHA256_B64}-3"))], None);
        check(&[full, ("x-amz-checksum-crc32", SHA256_B64)], None);
    }

    #[test]
    fn digests_are_read_in_their_three_spellings() {
        let sha256 = format!("sha256:{SHA256_HEX}");
        let sha256 = Some(sha256.as_str());
        check(&[("repr-digest", &format!("sha-256=:{SHA256_B64}:"))], sha256);
        check(
            &[("repr-digest", &format!("md5=:AAAA:, sha-256=:{SHA256_B64}:"))],
            sha256,
        );
        check(&[("digest", &format!("SHA-256={SHA256_B64},md5=AAAA"))], sha256);
        check(&[("x-checksum-sha256", SHA256_HEX)], sha256);
        check(&[("x-checksum-sha256", &SHA256_HEX.to_uppercase())], sha256);
        check(&[("repr-digest", &format!("sha-256=:{SHA256_B64}:;a=1"))], sha256);
        check(
            &[
                ("repr-digest", "md5=:AAAA:"),
                ("repr-digest", &format!("sha-256=:{SHA256_B64}:")),
            ],
            sha256,
        );
        let sha512 = format!("{}==", "A".repeat(86));
        let zeros = format!("sha512:{}", "00".repeat(64));
        check(&[("repr-digest", &format!("sha-512=:{sha512}:"))], Some(zeros.as_str()));
        check(&[("digest", &format!("SHA-512={sha512}"))], Some(zeros.as_str()));
        for nonsense in ["", "sha-256", "sha-256=", "sha-256=:", "sha-512=:AAAA:", "sha-256=AAAA"] {
            check(&[("repr-digest", nonsense), ("digest", nonsense)], None);
        }
        check(&[("x-checksum-sha256", &SHA256_HEX[1..])], None);
        check(&[("x-checksum-sha256", "é")], None);
    }
}
