//! What an error of the client means, from its chain of sources.

use std::error::Error;
use std::io;

use super::connect::ConnectFailed;
use crate::object::Cause;

/// The cause of an exchange that brought no head.
pub(super) fn of_exchange(error: &(dyn Error + 'static)) -> Cause {
    of_connecting(error)
        .or_else(|| of_transfer(error))
        .unwrap_or(Cause::Reset)
}

/// The cause of there being no connection, if that is it.
pub(super) fn of_connecting(error: &(dyn Error + 'static)) -> Option<Cause> {
    find(error, |failed: &ConnectFailed| Some(failed.0))
}

/// The cause of a body's end before its time.
pub(super) fn of_body(error: &(dyn Error + 'static)) -> Cause {
    of_transfer(error).unwrap_or(Cause::Reset)
}

/// A connection that ends early is no error of its own kind: what is none of these is `Reset`.
fn of_transfer(error: &(dyn Error + 'static)) -> Option<Cause> {
    find(error, |_: &rustls::Error| Some(Cause::Tls))
        .or_else(|| {
            find(error, |error: &hyper::Error| {
                error.is_parse().then_some(Cause::Malformed)
            })
        })
        // hyper tells a bad chunk by the kind of an I/O error.
        .or_else(|| {
            find(error, |error: &io::Error| match error.kind() {
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Some(Cause::Malformed),
                _ => None,
            })
        })
}

/// The first answer of `judge` to an error of its type in the chain.
pub(super) fn find<E: Error + 'static>(
    error: &(dyn Error + 'static),
    judge: impl Fn(&E) -> Option<Cause>,
) -> Option<Cause> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(cause) = error.downcast_ref().and_then(&judge) {
            return Some(cause);
        }
        // The source of an I/O error is that of its payload, so the payload itself would be skipped.
        next = match error.downcast_ref::<io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
