//! What follows from a chunk of a parallel download whose block is here: the decision, and the head of the answer.

use std::hint::black_box;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use pinstripe::object::Current;
use pinstripe::plan::{self, Facts, Local, SliceHeads, Step, Stored};

use super::Call;
use super::object::{self, TERMS};

fn facts() -> Result<Facts> {
    let stored = Stored {
        head: object::head()?,
        missing: None,
        some: true,
        complete: false,
    };
    let local = Local {
        current: Current::Is(object::tag()?),
        former: Vec::new(),
        stored: vec![stored],
    };
    Ok(Facts {
        local,
        ..Facts::default()
    })
}

pub(crate) fn next(_: &Path) -> Result<Call> {
    let (read, facts) = (object::read(object::range(4 << 10)?)?, facts()?);
    let next = move || plan::next(black_box(&read), black_box(&facts), black_box(&TERMS), object::now());
    ensure!(matches!(next(), Step::Serve(_)));
    Ok(Box::new(move |_| drop(black_box(next()))))
}

pub(crate) fn head(_: &Path) -> Result<Call> {
    let read = object::read(object::range(4 << 10)?)?;
    let Step::Serve(serve) = plan::next(&read, &facts()?, &TERMS, object::now()) else {
        bail!("it is not served");
    };
    let heads = SliceHeads::new(&serve, "pinstripe").context("it is no range")?;
    let head = move || heads.head(black_box(&serve), black_box(&read), object::now());
    ensure!(head().is_some());
    Ok(Box::new(move |_| drop(black_box(head()))))
}
