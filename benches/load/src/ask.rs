//! The next request, and what its answer must be.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};

use crate::head::Expected;
use crate::target::Target;

/// How much is asked for at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Size {
    /// A plain GET.
    Whole,
    /// A range of so many bytes, aligned to them, with If-Match.
    Range(u64),
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "whole" => Ok(Self::Whole),
            _ => match text.parse() {
                Ok(bytes) if bytes > 0 => Ok(Self::Range(bytes)),
                _ => Err("neither `whole` nor a number of bytes".to_owned()),
            },
        }
    }
}

#[derive(Debug)]
pub(crate) enum Walk {
    /// Any object, any range of it, for ever.
    Random { seed: u64 },
    /// Every range of every object, once among all that share the number.
    Once(Arc<AtomicUsize>),
}

#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) request: String,
    pub(crate) expected: Expected,
}

#[derive(Debug)]
pub(crate) struct Asks {
    targets: Arc<[Target]>,
    size: Size,
    server: SocketAddr,
    walk: Walk,
    random: u64,
}

impl Asks {
    pub(crate) fn new(targets: Arc<[Target]>, size: Size, server: SocketAddr, walk: Walk) -> Result<Self> {
        if let Size::Range(bytes) = size {
            let short = targets.iter().find(|target| target.size < bytes);
            ensure!(short.is_none(), "shorter than a range: {short:?}");
        }
        let random = match &walk {
            // Any number but 0 will do, other ones for other threads.
            Walk::Random { seed } => (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            Walk::Once(_) => 1,
        };
        Ok(Self {
            targets,
            size,
            server,
            walk,
            random,
        })
    }

    /// `None` once all was asked for.
    pub(crate) fn next(&mut self) -> Option<Ask> {
        let numbers = (xorshift(&mut self.random), xorshift(&mut self.random));
        let (target, range) = match &self.walk {
            Walk::Random { .. } => self.any(numbers)?,
            Walk::Once(turn) => self.nth(turn.fetch_add(1, Ordering::Relaxed))?,
        };
        Some(match self.size {
            Size::Whole => whole(target, self.server),
            Size::Range(bytes) => pinned(target, self.server, range * bytes, bytes),
        })
    }

    /// How many ranges an object has, and a last short one is left out.
    fn ranges(&self, target: &Target) -> u64 {
        match self.size {
            Size::Whole => 1,
            Size::Range(bytes) => target.size / bytes,
        }
    }

    fn any(&self, (object, range): (u64, u64)) -> Option<(&Target, u64)> {
        let object = object % u64::try_from(self.targets.len()).ok()?;
        let target = self.targets.get(usize::try_from(object).ok()?)?;
        Some((target, range % self.ranges(target)))
    }

    fn nth(&self, turn: usize) -> Option<(&Target, u64)> {
        let mut left = u64::try_from(turn).ok()?;
        for target in self.targets.iter() {
            let ranges = self.ranges(target);
            if left < ranges {
                return Some((target, left));
            }
            left -= ranges;
        }
        None
    }
}

fn whole(target: &Target, server: SocketAddr) -> Ask {
    Ask {
        request: format!("GET {} HTTP/1.1\r\nHost: {server}\r\n\r\n", target.path),
        expected: Expected {
            status: 200,
            length: target.size,
            content_range: None,
            etag: target.etag.clone(),
        },
    }
}

fn pinned(target: &Target, server: SocketAddr, first: u64, bytes: u64) -> Ask {
    let (path, etag, last) = (&target.path, &target.etag, first + bytes - 1);
    Ask {
        request: format!(
            "GET {path} HTTP/1.1\r\nHost: {server}\r\nRange: bytes={first}-{last}\r\nIf-Match: {etag}\r\n\r\n"
        ),
        expected: Expected {
            status: 206,
            length: bytes,
            content_range: Some(format!("bytes {first}-{last}/{}", target.size)),
            etag: etag.clone(),
        },
    }
}

fn xorshift(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(size: Size, walk: Walk) -> Asks {
        let target = |path: &str, size| Target {
            path: path.into(),
            etag: "\"t\"".into(),
            size,
        };
        let targets = [target("/a", 8), target("/b", 4)];
        Asks::new(targets.into(), size, "127.0.0.1:80".parse().unwrap(), walk).unwrap()
    }

    #[test]
    fn once_is_every_range_of_every_object_in_order() {
        let mut asks = asks(Size::Range(4), Walk::Once(Arc::default()));
        let mut found = Vec::new();
        while let Some(ask) = asks.next() {
            let path = ask.request.split(' ').nth(1).unwrap().to_owned();
            found.push((path, ask.expected.content_range.unwrap()));
        }
        let expected = [("/a", "bytes 0-3/8"), ("/a", "bytes 4-7/8"), ("/b", "bytes 0-3/4")];
        assert_eq!(found, expected.map(|(path, range)| (path.to_owned(), range.to_owned())));
    }

    #[test]
    fn random_ranges_are_aligned_and_within_and_all_come() {
        let mut asks = asks(Size::Range(4), Walk::Random { seed: 0 });
        let ranges: Vec<_> = (0..200).filter_map(|_| asks.next()?.expected.content_range).collect();
        for range in ["bytes 0-3/8", "bytes 4-7/8", "bytes 0-3/4"] {
            assert!(ranges.iter().filter(|found| *found == range).count() > 20, "{ranges:?}");
        }
    }

    #[test]
    fn a_whole_has_neither_range_nor_pin() {
        let ask = asks(Size::Whole, Walk::Once(Arc::default())).next().unwrap();
        assert_eq!(ask.request, "GET /a HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n");
        assert_eq!((ask.expected.status, ask.expected.length), (200, 8));
    }

    #[test]
    fn an_object_shorter_than_a_range_is_refused() {
        let target = Target {
            path: "/a".into(),
            etag: "\"t\"".into(),
            size: 3,
        };
        let walk = Walk::Random { seed: 0 };
        let server = "127.0.0.1:80".parse().unwrap();
        assert!(Asks::new([target].into(), Size::Range(4), server, walk).is_err());
    }
}
