//! Freshness (RFC 9111 4.2) from explicit information only; there is no heuristic freshness here.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header;

/// The directives of Cache-Control that a shared cache acts on. Of a duplicated delta the smaller one counts; a
/// malformed one is zero (RFC 9111 4.2.1: consider it stale).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// `no-store`
    pub no_store: bool,
    /// `no-cache`, qualified or not
    pub no_cache: bool,
    /// `private`, qualified or not
    pub private: bool,
    /// `must-revalidate`
    pub must_revalidate: bool,
    /// `proxy-revalidate`
    pub proxy_revalidate: bool,
    /// `only-if-cached` (requests)
    pub only_if_cached: bool,
    /// `max-age`
    pub max_age: Option<Duration>,
    /// `s-maxage`
    pub s_maxage: Option<Duration>,
    /// `min-fresh` (requests)
    pub min_fresh: Option<Duration>,
    /// `stale-if-error` (RFC 5861)
    pub stale_if_error: Option<Duration>,
}

/// How fresh a stored answer is at some instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Within its explicit lifetime, for that much longer.
    Fresh(Duration),
    /// Beyond its explicit lifetime by that much.
    Stale(Duration),
    /// No lifetime was given: every use asks.
    Unstated,
}

/// What forbids serving an answer that is stale without asking, even in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleBar {
    /// `must-revalidate`, `proxy-revalidate`, `no-cache` or `s-maxage` (RFC 9111 4.2.4, 5.2.2.10)
    Barred,
    /// Nothing does.
    Open,
}

impl CacheControl {
    /// From all Cache-Control lines of a message; `Pragma: no-cache` counts where there is none (RFC 9111 5.4).
    pub fn of(fields: &HeaderMap) -> Self {
        let mut found = Self::default();
        for value in fields.get_all(header::CACHE_CONTROL) {
            split_directives(&String::from_utf8_lossy(value.as_bytes())).for_each(|directive| found.take(directive));
        }
        if !fields.contains_key(header::CACHE_CONTROL) {
            let pragmas = fields.get_all(header::PRAGMA).into_iter();
            found.no_cache = pragmas
                .filter_map(|v| v.to_str().ok())
                .flat_map(split_directives)
                .any(|directive| directive.eq_ignore_ascii_case("no-cache"));
        }
        found
    }

    fn take(&mut self, directive: &str) {
        let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache = true,
            "private" => self.private = true,
            "must-revalidate" => self.must_revalidate = true,
            "proxy-revalidate" => self.proxy_revalidate = true,
            "only-if-cached" => self.only_if_cached = true,
            "max-age" => shorten(&mut self.max_age, argument),
            "s-maxage" => shorten(&mut self.s_maxage, argument),
            // The stricter of two is the longer one.
            "min-fresh" => self.min_fresh = self.min_fresh.max(parse_delta(unquoted(argument))),
            "stale-if-error" => shorten(&mut self.stale_if_error, argument),
            _ => {}
        }
    }

    /// Whether a stale answer may be served at all while the authority is in trouble.
    pub fn stale_bar(&self) -> StaleBar {
        let barred = self.must_revalidate || self.proxy_revalidate || self.no_cache || self.s_maxage.is_some();
        if barred { StaleBar::Barred } else { StaleBar::Open }
    }
}

impl Freshness {
    /// Of an answer with those fields that was received at `received`, at the instant `now` (RFC 9111 4.2.3).
    pub fn of(fields: &HeaderMap, received: SystemTime, now: SystemTime) -> Self {
        let control = CacheControl::of(fields);
        let Some(lifetime) = lifetime(fields, &control, received) else {
            return Self::Unstated;
        };
        let age = age(fields, received, now);
        match lifetime.checked_sub(age) {
            Some(left) if !left.is_zero() && !control.no_cache => Self::Fresh(left),
            _ => Self::Stale(age.saturating_sub(lifetime)),
        }
    }

    /// Whether the answer may be used without asking.
    pub fn is_fresh(self) -> bool {
        matches!(self, Self::Fresh(_))
    }
}

/// The current age of an answer (RFC 9111 4.2.3): what it was on arrival and how long it has been here since.
fn age(fields: &HeaderMap, received: SystemTime, now: SystemTime) -> Duration {
    age_on_arrival(fields, received).saturating_add(now.duration_since(received).unwrap_or_default())
}

/// How old an answer was when it came.
pub(crate) fn age_on_arrival(fields: &HeaderMap, received: SystemTime) -> Duration {
    // RFC 9111 5.1: of a list the first member counts; what is no number is ignored.
    let stated = first(fields, &header::AGE)
        .and_then(|v| parse_delta(v.split(',').next()?.trim()))
        .unwrap_or_default();
    let apparent = date(fields, &header::DATE)
        .and_then(|date| received.duration_since(date).ok())
        .unwrap_or_default();
    // An origin whose clock lags by less than this is not thereby old; HTTP dates have whole seconds.
    let apparent = if apparent < Duration::from_secs(2) {
        Duration::ZERO
    } else {
        apparent
    };
    stated.max(apparent)
}

fn lifetime(fields: &HeaderMap, control: &CacheControl, received: SystemTime) -> Option<Duration> {
    if let Some(stated) = control.s_maxage.or(control.max_age) {
        return Some(stated);
    }
    let mut expires = fields.get_all(header::EXPIRES).into_iter();
    let value = expires.next()?;
    // RFC 9111 5.3: an invalid date, especially "0", is a time in the past.
    let at = value
        .to_str()
        .ok()
        .and_then(|v| httpdate::parse_http_date(v.trim()).ok());
    let from = date(fields, &header::DATE).unwrap_or(received);
    let lifetime = at.and_then(|at| at.duration_since(from).ok()).unwrap_or_default();
    Some(if expires.next().is_some() {
        Duration::ZERO
    } else {
        lifetime
    })
}

fn first<'a>(fields: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    fields.get(name)?.to_str().ok()
}

fn date(fields: &HeaderMap, name: &header::HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(first(fields, name)?.trim()).ok()
}

fn shorten(slot: &mut Option<Duration>, argument: &str) {
    let stated = parse_delta(unquoted(argument)).unwrap_or_default();
    *slot = Some(slot.map_or(stated, |other| other.min(stated)));
}

/// RFC 9111 5.2: recipients take the token and the quoted form.
fn unquoted(argument: &str) -> &str {
    let argument = argument.trim();
    let within = argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    within.unwrap_or(argument)
}

/// `delta-seconds`; larger than 2^31 counts as 2^31 (RFC 9111 1.2.2).
fn parse_delta(digits: &str) -> Option<Duration> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = digits.parse::<u64>().unwrap_or(u64::MAX).min(1 << 31);
    Some(Duration::from_secs(seconds))
}

/// Splits at commas outside of quoted strings, in which a backslash takes the next character as it is (RFC 9110 5.6.4).
fn split_directives(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    value
        .split(move |c| {
            let literal = escaped;
            escaped = quoted && !literal && c == '\\';
            quoted ^= c == '"' && !literal;
            c == ',' && !quoted
        })
        .map(str::trim)
        .filter(|directive| !directive.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn fields(lines: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(
                name.parse::<header::HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        map
    }

    fn check(lines: &[(&str, &str)], resident: u64, expected: Freshness) {
        let received = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let now = received + Duration::from_secs(resident);
        assert_eq!(Freshness::of(&fields(lines), received, now), expected, "{lines:?}");
    }

    #[test]
    fn freshness_is_explicit() {
        let secs = Duration::from_secs;
        check(&[], 0, Freshness::Unstated);
        check(
            &[("last-modified", "Sun, 06 Nov 1984 08:49:37 GMT")],
            1,
            Freshness::Unstated,
        );
        check(&[("cache-control", "max-age=10")], 4, Freshness::Fresh(secs(6)));
        check(&[("cache-control", "max-age=10")], 10, Freshness::Stale(secs(0)));
        check(
            &[("cache-control", "max-age=10"), ("age", "8")],
            4,
            Freshness::Stale(secs(2)),
        );
        check(
            &[("cache-control", "max-age=1, s-maxage=10")],
            4,
            Freshness::Fresh(secs(6)),
        );
        check(
            &[("cache-control", "max-age=10, no-cache")],
            0,
            Freshness::Stale(secs(0)),
        );
        check(&[("cache-control", "max-age=abc")], 0, Freshness::Stale(secs(0)));
        check(&[("cache-control", "foo=\"a, max-age=10\"")], 0, Freshness::Unstated);
        check(
            &[("cache-control", "foo=\"a\\\", max-age=10\"")],
            0,
            Freshness::Unstated,
        );
        check(&[("cache-control", "max-age=\"10\"")], 0, Freshness::Fresh(secs(10)));
        check(
            &[("cache-control", "max-age=10"), ("cache-control", "max-age=7")],
            0,
            Freshness::Fresh(secs(7)),
        );
        check(&[("cache-control", "max-age")], 0, Freshness::Stale(secs(0)));
        check(
            &[("cache-control", "max-age=99999999999999999999")],
            0,
            Freshness::Fresh(secs(1 << 31)),
        );
        check(
            &[("cache-control", "max-age=10"), ("age", "8, 1")],
            0,
            Freshness::Fresh(secs(2)),
        );
        check(
            &[("cache-control", "max-age=10"), ("age", "-8")],
            0,
            Freshness::Fresh(secs(10)),
        );
        check(
            &[
                ("cache-control", "max-age=10"),
                ("date", "Sun, 06 Nov 1994 08:49:30 GMT"),
                ("age", "3"),
            ],
            0,
            Freshness::Fresh(secs(3)),
        );
        check(&[("expires", "0")], 0, Freshness::Stale(secs(0)));
        let expires = ("expires", "Sun, 06 Nov 1994 08:49:47 GMT");
        check(
            &[expires, ("date", "Sun, 06 Nov 1994 08:49:37 GMT")],
            4,
            Freshness::Fresh(secs(6)),
        );
        check(
            &[expires, ("date", "Sun, 06 Nov 1994 08:49:27 GMT")],
            4,
            Freshness::Fresh(secs(6)),
        );
        check(&[expires, ("cache-control", "max-age=2")], 4, Freshness::Stale(secs(2)));
    }

    #[test]
    fn of_two_bounds_the_stricter_counts() {
        let control = |value: &str| CacheControl::of(&fields(&[("cache-control", value)]));
        assert_eq!(
            control("min-fresh=3, min-fresh=9").min_fresh,
            Some(Duration::from_secs(9))
        );
        assert_eq!(control("min-fresh=x").min_fresh, None);
        assert_eq!(control("max-age=3, max-age=9").max_age, Some(Duration::from_secs(3)));
        assert!(control("private=\"a, b\", NO-STORE").no_store);
        assert!(!control("foo=\"a, no-store\"").no_store);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_old() {
        let received = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let fields = fields(&[
            ("cache-control", "max-age=10"),
            ("date", "Sun, 06 Nov 1994 08:59:37 GMT"),
        ]);
        let before = received - Duration::from_secs(60);
        assert_eq!(
            Freshness::of(&fields, received, before),
            Freshness::Fresh(Duration::from_secs(10))
        );
    }

    #[test]
    fn pragma_counts_only_without_cache_control() {
        assert!(CacheControl::of(&fields(&[("pragma", "no-cache")])).no_cache);
        assert!(CacheControl::of(&fields(&[("pragma", "x, No-Cache")])).no_cache);
        assert!(!CacheControl::of(&fields(&[("pragma", "no-cache"), ("cache-control", "max-age=1")])).no_cache);
    }
}
