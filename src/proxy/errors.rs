//! What goes wrong at the edge, and how it is told: the one table of status, level, label and reason.
//!
//! Owns: the reading of Pingora's errors.
//! Never: an error as 404 or 412; the 412 here is the pin rule's own (`semantics.md`, Pass).

use http::StatusCode;
use pingora::{Error, ErrorSource, ErrorType};

use crate::object::Cause;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    /// An upstream failed, in the words that tiers have for it.
    Upstream(Cause),
    /// The upstream ignored the pin.
    PinIgnored,
    /// A body ended before its length, or was given up.
    Aborted,
    /// The client left.
    ClientGone,
    /// The client sent or took nothing for too long.
    ClientTimeout,
    /// The client's body is malformed.
    ClientBody,
    /// As many requests run as may.
    Saturated,
    /// Something here is broken.
    Internal,
}

/// How loud a fault is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Somebody's everyday.
    Quiet,
    /// An operator wants to know.
    Warn,
    /// We are to blame.
    Error,
}

/// How a fault is told.
pub(super) struct Told {
    /// For the client, or for the log where the client cannot be told.
    pub(super) status: StatusCode,
    pub(super) level: Level,
    /// Metric label and log field.
    pub(super) label: &'static str,
    /// One line for the client; `None`: the client is not there to read it.
    pub(super) reason: Option<&'static str>,
}

impl Fault {
    /// The table.
    pub(super) const fn told(self) -> Told {
        use Level::{Error, Quiet, Warn};
        const fn row(status: u16, level: Level, label: &'static str, reason: &'static str) -> Told {
            let status = match StatusCode::from_u16(status) {
                Ok(status) => status,
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            let reason = if reason.is_empty() { None } else { Some(reason) };
            Told {
                status,
                level,
                label,
                reason,
            }
        }
        match self {
            Self::Upstream(cause) => {
                let (status, reason) = upstream(cause);
                // A client of a forward proxy may ask for whatever it likes.
                let level = if matches!(cause, Cause::Forbidden) { Quiet } else { Warn };
                row(status, level, cause.label(), reason)
            }
            Self::PinIgnored => row(
                412,
                Warn,
                "pin-ignored",
                "the upstream answered with another revision than If-Match names",
            ),
            Self::Aborted => row(502, Warn, "aborted", "the answer was given up before it began"),
            // Not a registered status; what nginx's logs say of it.
            Self::ClientGone => row(499, Quiet, "client-gone", ""),
            Self::ClientTimeout => row(
                408,
                Quiet,
                "client-timeout",
                "the request's body did not arrive in time",
            ),
            Self::ClientBody => row(400, Quiet, "client-body", "the request's body is malformed"),
            Self::Saturated => row(
                503,
                Warn,
                "saturated",
                "as many requests run as the configuration allows",
            ),
            Self::Internal => row(500, Error, "internal", "an internal error"),
        }
    }

    /// What an error of Pingora's means.
    pub(super) fn of(error: &Error) -> Self {
        match error.esource() {
            ErrorSource::Upstream => Self::of_upstream(error.etype()),
            ErrorSource::Downstream => Self::of_client(error),
            // Writes to the client from a request filter have no source.
            ErrorSource::Unset => match error.etype() {
                ErrorType::WriteError | ErrorType::WriteTimedout | ErrorType::ReadError | ErrorType::ReadTimedout => {
                    Self::of_client(error)
                }
                other => Self::of_upstream(other),
            },
            ErrorSource::Internal => Self::Internal,
        }
    }

    fn of_client(error: &Error) -> Self {
        match error.etype() {
            ErrorType::ReadTimedout | ErrorType::WriteTimedout => Self::ClientTimeout,
            ErrorType::InvalidHTTPHeader => Self::ClientBody,
            ErrorType::ReadError | ErrorType::WriteError => Self::of_client_io(error),
            _ => Self::ClientGone,
        }
    }

    /// The connection's own verdicts come through Pingora as the causes of its errors.
    fn of_client_io(error: &Error) -> Self {
        let io = error.root_cause().downcast_ref::<std::io::Error>();
        match io.map(std::io::Error::kind) {
            Some(std::io::ErrorKind::TimedOut) => Self::ClientTimeout,
            Some(std::io::ErrorKind::InvalidData) => Self::ClientBody,
            Some(_) | None => Self::ClientGone,
        }
    }

    fn of_upstream(kind: &ErrorType) -> Self {
        Self::Upstream(match kind {
            ErrorType::ConnectTimedout
            | ErrorType::TLSHandshakeTimedout
            | ErrorType::ReadTimedout
            | ErrorType::WriteTimedout => Cause::Timeout,
            ErrorType::ConnectRefused
            | ErrorType::ConnectNoRoute
            | ErrorType::ConnectError
            | ErrorType::ConnectProxyFailure
            | ErrorType::SocketError
            | ErrorType::BindError => Cause::Refused,
            ErrorType::TLSWantX509Lookup
            | ErrorType::TLSHandshakeFailure
            | ErrorType::InvalidCert
            | ErrorType::HandshakeError => Cause::Tls,
            ErrorType::InvalidHTTPHeader
            | ErrorType::H1Error
            | ErrorType::H2Error
            | ErrorType::H2Downgrade
            | ErrorType::InvalidH2 => Cause::Malformed,
            ErrorType::ReadError | ErrorType::WriteError | ErrorType::ConnectionClosed => Cause::Reset,
            ErrorType::AcceptError
            | ErrorType::HTTPStatus(_)
            | ErrorType::FileOpenError
            | ErrorType::FileCreateError
            | ErrorType::FileReadError
            | ErrorType::FileWriteError
            | ErrorType::InternalError
            | ErrorType::UnknownError
            | ErrorType::Custom(_)
            | ErrorType::CustomCode(_, _) => return Self::Internal,
        })
    }
}

/// Status and reason of an upstream's failure. Where it is an answer, that is handed on and not told here.
const fn upstream(cause: Cause) -> (u16, &'static str) {
    match cause {
        Cause::NoAddress => (502, "the upstream's name has no address"),
        Cause::Forbidden => (403, "the route does not allow the upstream's address"),
        Cause::Refused => (502, "the upstream could not be reached"),
        Cause::Reset => (502, "the upstream broke the connection"),
        Cause::Timeout => (504, "the upstream did not answer in time"),
        Cause::Tls => (502, "the TLS handshake with the upstream failed"),
        Cause::Malformed => (502, "the upstream's answer is not HTTP"),
        Cause::Saturated => (503, "as many requests to the upstream run as the configuration allows"),
        Cause::Status | Cause::OwnCredentials | Cause::Lie(_) => (502, "the upstream failed"),
        Cause::Loop => (508, "the request goes around in a loop"),
    }
}

/// An error that carries a fault of our own through Pingora; the context keeps the fault itself.
pub(super) fn carrier(fault: Fault) -> Box<Error> {
    Error::explain(ErrorType::Custom("edge"), fault.told().label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pingoras_errors_are_told_by_their_side() {
        let check = |error: Box<Error>, expected: u16| {
            assert_eq!(Fault::of(&error).told().status.as_u16(), expected, "{error}");
        };
        check(Error::new_up(ErrorType::ConnectTimedout), 504);
        check(Error::new_up(ErrorType::ConnectRefused), 502);
        check(Error::new_up(ErrorType::ReadTimedout), 504);
        check(Error::new_up(ErrorType::InvalidHTTPHeader), 502);
        check(Error::new_down(ErrorType::ReadTimedout), 408);
        check(Error::new_down(ErrorType::ConnectionClosed), 499);
        check(Error::new_in(ErrorType::ReadError), 500);
        let timed_out = std::io::Error::from(std::io::ErrorKind::TimedOut);
        check(Error::because(ErrorType::WriteError, "", timed_out), 408);
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        check(Error::because(ErrorType::WriteError, "", reset), 499);
    }

    #[test]
    fn no_error_is_told_as_an_absence() {
        for cause in [
            Cause::NoAddress,
            Cause::Refused,
            Cause::Timeout,
            Cause::Reset,
            Cause::Loop,
        ] {
            assert!(Fault::Upstream(cause).told().status.is_server_error(), "{cause:?}");
        }
    }
}
