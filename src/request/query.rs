//! The query, as sent: which parameters name the object, which belong to one request only. Nothing is decoded; a
//! parameter whose name is percent-encoded is simply another parameter, which costs a cache entry and nothing else.

use crate::object::PartNumber;

/// The names of all parameters.
pub fn names(query: &str) -> impl Iterator<Item = &str> {
    pairs(query).map(|(name, _)| name)
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The value of a parameter, if it is there.
pub fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    pairs(query).find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// What `partNumber` says in S3's dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartField {
    /// It is not there.
    Absent,
    /// A part.
    Part(PartNumber),
    /// Not a number of 1..=10,000, or said twice.
    Malformed,
}

/// Parses `partNumber`.
pub fn part_field(query: Option<&str>) -> PartField {
    let mut found = pairs(query.unwrap_or("")).filter(|(name, _)| *name == "partNumber");
    let Some((_, value)) = found.next() else {
        return PartField::Absent;
    };
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    let number = if digits {
        value.parse().ok().and_then(PartNumber::new)
    } else {
        None
    };
    match (number, found.next()) {
        (Some(part), None) => PartField::Part(part),
        _ => PartField::Malformed,
    }
}

/// The query for a tier in S3's dialect: which part is asked for is said with the question, and not beside a range.
pub fn without_part(query: &str) -> Option<String> {
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| pair.split('=').next() != Some("partNumber"))
        .collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

/// What of the query names the object (`semantics.md`, Keys). Order and spelling stay as sent.
pub fn naming_part(query: Option<&str>, s3_dialect: bool, shared: bool) -> Option<String> {
    let query = query?;
    let presigned = shared && names(query).any(|name| name.eq_ignore_ascii_case("x-amz-signature"));
    let names_object = |pair: &&str| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        let of_one_request = s3_dialect && matches!(name, "x-id" | "partNumber");
        let of_a_signature = presigned && name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
        !of_one_request && !of_a_signature
    };
    let kept: Vec<&str> = query.split('&').filter(names_object).collect();
    // An empty query is one that was sent; a query that lost all of its parameters is none.
    (!kept.is_empty()).then(|| kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_the_object() {
        let check = |query: &str, s3: bool, shared: bool, expected: Option<&str>| {
            assert_eq!(naming_part(Some(query), s3, shared).as_deref(), expected, "{query}");
        };
        check("x-id=GetObject", true, true, None);
        check("x-id=GetObject", false, true, Some("x-id=GetObject"));
        check("b=2&partNumber=3&a=1", true, false, Some("b=2&a=1"));
        check(
            "versionId=7&X-Amz-Signature=s&X-Amz-Date=d",
            true,
            true,
            Some("versionId=7"),
        );
        check("X-Amz-Signature=s&a=1", false, false, Some("X-Amz-Signature=s&a=1"));
        check("X-Amz-Date=d", false, true, Some("X-Amz-Date=d"));
        check("", false, false, Some(""));
        assert_eq!(naming_part(None, true, true), None);
    }

    #[test]
    fn part_numbers() {
        let check = |query: &str, expected: PartField| assert_eq!(part_field(Some(query)), expected, "{query}");
        let part = |n| PartField::Part(PartNumber::new(n).unwrap());
        check("partNumber=1", part(1));
        check("x-id=GetObject&partNumber=10000", part(10_000));
        check("partNumber=0", PartField::Malformed);
        check("partNumber=+1", PartField::Malformed);
        check("partNumber=10001", PartField::Malformed);
        check("partNumber=1&partNumber=2", PartField::Malformed);
        check("partnumber=1", PartField::Absent);
    }

    #[test]
    fn the_part_is_not_said_beside_a_range() {
        let check =
            |query: &str, expected: Option<&str>| assert_eq!(without_part(query).as_deref(), expected, "{query}");
        check("partNumber=2", None);
        check(
            "x-id=GetObject&partNumber=2&versionId=v",
            Some("x-id=GetObject&versionId=v"),
        );
        check("partNumbers=2", Some("partNumbers=2"));
    }
}
