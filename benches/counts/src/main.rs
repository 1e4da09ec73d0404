//! Calls one hot function so many times, and does nothing else: `counts FUNCTION CALLS FOLDER`, `counts --list`.
//!
//! Whoever counts the instructions of two runs with different numbers of calls knows what one call takes
//! (`benches/counts/run`). Inputs are the same in every run, nothing reads a clock, and only what a disk has threads for
//! is done by another thread than the first, before the calls begin.
//!
//! | module | what it calls |
//! | --- | --- |
//! | [`asked`] | reading a request: the head, its class, its fields |
//! | [`told`] | deciding and writing an answer |
//! | [`stored`] | reading what the disk holds |
//! | [`indexed`] | looking up a block among many |
//! | [`spread`] | whose share an object is in |
//! | [`object`] | the object that all of it is about |

mod asked;
mod indexed;
mod object;
mod spread;
mod stored;
mod told;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// One call; the number says which.
type Call = Box<dyn FnMut(usize)>;
/// What is done once before the calls, with a folder of its own.
type Setup = fn(&Path) -> Result<Call>;

const FUNCTIONS: [(&str, Setup); 16] = [
    ("strict head", asked::strict_head),
    ("head again", asked::head_again),
    ("classify", asked::class),
    ("parse ETag", asked::etag),
    ("parse If-Match", asked::if_match),
    ("parse Range", asked::range),
    ("object key", asked::key),
    ("plan next", told::next),
    ("served head", told::head),
    ("CRC 16 KiB", stored::crc_16k),
    ("CRC 64 KiB", stored::crc_64k),
    ("disk at hand 4 KiB", stored::disk_4k),
    ("disk at hand 64 KiB", stored::disk_64k),
    ("route at hand 4 KiB", stored::route_4k),
    ("index hit", indexed::hit),
    ("ring order", spread::order),
];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().context("no function")?;
    if name == "--list" {
        FUNCTIONS.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    }
    let calls = arguments.next().context("no number of calls")?.parse()?;
    let folder = PathBuf::from(arguments.next().context("no folder")?);
    let (_, setup) = FUNCTIONS
        .iter()
        .find(|(known, _)| *known == name)
        .with_context(|| format!("no function {name}"))?;
    let mut call = setup(&folder)?;
    (0..calls).for_each(&mut call);
    Ok(())
}
