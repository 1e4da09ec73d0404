//! How the pages read: lines for people.

use std::fmt;

use super::pages::{Bad, Checks, Listed, Listing, Revision, Standing, Usage};
use crate::app::shown::Shown;

impl fmt::Display for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_bad(f, &self.tier, &self.damaged)?;
        for file in &self.foreign {
            writeln!(
                f,
                "{}: {}: of another version of Pinstripe; it is not used",
                Shown(&self.tier),
                Shown(file)
            )?;
        }
        writeln!(
            f,
            "{}: {}: {} and {} are sound, {}; {} damaged, {} foreign",
            Shown(&self.tier),
            Shown(&self.path),
            counted(self.blocks, "block"),
            counted(self.records, "record"),
            Bytes(self.bytes),
            self.damaged.len(),
            self.foreign.len(),
        )
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {}: {}",
            Shown(&self.tier),
            Shown(&self.path),
            counted(self.objects.len(), "object")
        )?;
        self.objects.iter().try_for_each(|object| object.fmt(f))?;
        write_bad(f, &self.tier, &self.damaged)
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {} {}", Shown(&self.route), Shown(&self.object))?;
        match self.confirmed_seconds_ago {
            Some(seconds) => writeln!(f, "  confirmed {} ago", Age(seconds))?,
            None => writeln!(f)?,
        }
        self.revisions.iter().try_for_each(|revision| revision.fmt(f))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let standing = match self.standing {
            Standing::Current => "current",
            Standing::Former => "former",
            Standing::Unknown => "-",
        };
        write!(f, "    {:<8} {}  {}", standing, Shown(&self.tag), Bytes(self.size))?;
        match self.of_blocks {
            0 => write!(f, ", nothing held")?,
            of => write!(
                f,
                ", {} of {}, {} on disk",
                self.blocks,
                counted(of, "block"),
                Bytes(self.bytes)
            )?,
        }
        match self.received_seconds_ago {
            Some(seconds) => writeln!(f, ", {} old", Age(seconds)),
            None => writeln!(f),
        }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", Shown(&self.tier), Shown(&self.path))?;
        for (route, sums) in &self.routes {
            writeln!(
                f,
                "  {}: {} in {} of {}, {}",
                Shown(route),
                counted(sums.blocks, "block"),
                counted(sums.revisions, "revision"),
                counted(sums.objects, "object"),
                Bytes(sums.bytes),
            )?;
        }
        let bytes = self.routes.values().map(|sums| sums.bytes).sum();
        let damaged = match self.damaged {
            0 => String::new(),
            n => format!(
                "; {} cannot be used: see `pinstripe disk verify`",
                counted(n, "damaged file")
            ),
        };
        writeln!(f, "  all: {}{damaged}", Bytes(bytes))
    }
}

fn write_bad(f: &mut fmt::Formatter<'_>, tier: &str, bad: &[Bad]) -> fmt::Result {
    bad.iter()
        .try_for_each(|bad| writeln!(f, "{}: {}: damaged: {}", Shown(tier), Shown(&bad.file), Shown(&bad.why)))
}

fn counted(n: impl TryInto<u64>, what: &str) -> String {
    match n.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

/// Bytes with a unit, to a tenth, in integers: a float would round what it cannot hold.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        let unit = UNITS.into_iter().find(|(_, shift)| self.0 >> shift > 0);
        match unit {
            None => write!(f, "{} B", self.0),
            Some((name, shift)) => {
                let tenths = (u128::from(self.0) * 10) >> shift;
                write!(f, "{}.{} {name}", tenths / 10, tenths % 10)
            }
        }
    }
}

/// Seconds in the largest unit of which there is one at least.
struct Age(u64);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u64); 3] = [("d", 86_400), ("h", 3_600), ("min", 60)];
        let unit = UNITS.into_iter().find(|(_, seconds)| self.0 >= *seconds);
        match unit {
            None => write!(f, "{} s", self.0),
            Some((name, seconds)) => write!(f, "{} {name}", self.0 / seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pages::Sums;
    use super::*;

    #[test]
    fn whatever_files_say_is_shown_and_not_obeyed() {
        let evil = || "\u{9b}31m\u{202e}\u{2028}\u{1b}[2J\nlocal: ok".to_owned();
        let revision = Revision {
            tag: evil(),
            standing: Standing::Former,
            blocks: 1,
            of_blocks: 1,
            block_size: 1,
            size: 1,
            bytes: 1,
            received_seconds_ago: None,
        };
        let object = Listed {
            route: evil(),
            object: evil(),
            confirmed_seconds_ago: None,
            revisions: vec![revision],
        };
        let bad = || Bad {
            file: evil(),
            why: evil(),
        };
        let (tier, path) = (evil(), evil());
        let list = Listing {
            tier: evil(),
            path: evil(),
            objects: vec![object],
            damaged: vec![bad()],
        };
        let checks = Checks {
            tier: evil(),
            path: evil(),
            blocks: 0,
            records: 0,
            bytes: 0,
            foreign: vec![evil()],
            damaged: vec![bad()],
        };
        let usage = Usage {
            tier,
            path,
            routes: [(evil(), Sums::default())].into(),
            damaged: 0,
            foreign: 0,
        };
        for (page, lines) in [(list.to_string(), 4), (checks.to_string(), 3), (usage.to_string(), 3)] {
            assert_eq!(page.lines().count(), lines, "{page}");
            assert!(page.chars().all(|c| matches!(c, ' '..='~' | '\n')), "{page:?}");
        }
    }

    #[test]
    fn numbers_are_told_in_units() {
        let check = |told: String, expected: &str| assert_eq!(told, expected);
        check(Bytes(1023).to_string(), "1023 B");
        check(Bytes(1024).to_string(), "1.0 KiB");
        check(Bytes((3 << 20) + (9 << 17)).to_string(), "4.1 MiB");
        check(Bytes(u64::MAX).to_string(), "16777215.9 TiB");
        check(Age(59).to_string(), "59 s");
        check(Age(7_300).to_string(), "2 h");
        check(counted(1_u64, "block"), "1 block");
        check(counted(0_usize, "block"), "0 blocks");
    }
}
