//! What the origin is told to do instead of the honest thing: for which requests, how often, and what.

use super::reply::Reply;
use super::request::Recorded;
use crate::gate::Gate;
use bytes::Bytes;
use http::HeaderName;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// For which requests, how often, and what. Of several rules the first that fits is followed; what it does not say is honest.
#[derive(Clone, Debug)]
pub struct Rule {
    when: Vec<When>,
    /// How many more requests it is for; without it, for all.
    left: Option<usize>,
    pub(super) acts: Vec<Act>,
}

#[derive(Clone)]
enum When {
    Path(String),
    Method(String),
    Has(String, bool),
    Fits(Arc<dyn Fn(&Recorded) -> bool + Send + Sync>),
}

impl fmt::Debug for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "Path({path})"),
            Self::Method(method) => write!(f, "Method({method})"),
            Self::Has(name, has) => write!(f, "Has({name}, {has})"),
            Self::Fits(_) => f.write_str("Fits(_)"),
        }
    }
}

impl Rule {
    /// For every request.
    #[must_use]
    pub fn any() -> Self {
        Self {
            when: Vec::new(),
            left: None,
            acts: Vec::new(),
        }
    }

    /// For requests to this path, whatever their query.
    #[must_use]
    pub fn on(path: impl Into<String>) -> Self {
        Self::any().and(When::Path(path.into()))
    }

    /// Only for this method.
    #[must_use]
    pub fn method(self, method: impl Into<String>) -> Self {
        self.and(When::Method(method.into()))
    }

    /// Only for requests with this field.
    #[must_use]
    pub fn with(self, name: impl Into<String>) -> Self {
        self.and(When::Has(name.into(), true))
    }

    /// Only for requests without this field.
    #[must_use]
    pub fn without(self, name: impl Into<String>) -> Self {
        self.and(When::Has(name.into(), false))
    }

    /// Only for requests of which this is true.
    #[must_use]
    pub fn when(self, fits: impl Fn(&Recorded) -> bool + Send + Sync + 'static) -> Self {
        self.and(When::Fits(Arc::new(fits)))
    }

    /// Only for the next `n` of them.
    #[must_use]
    pub fn times(mut self, n: usize) -> Self {
        self.left = Some(n);
        self
    }

    /// What to do, besides what was said before.
    #[must_use]
    pub fn act(mut self, act: Act) -> Self {
        self.acts.push(act);
        self
    }

    fn and(mut self, when: When) -> Self {
        self.when.push(when);
        self
    }

    /// Whether this request is its, and if so, counts it.
    pub(super) fn take(&mut self, request: &Recorded) -> bool {
        let fits = self.left != Some(0) && self.when.iter().all(|when| when.fits(request));
        if let Some(left) = self.left.as_mut().filter(|_| fits) {
            *left -= 1;
        }
        fits
    }
}

impl When {
    fn fits(&self, request: &Recorded) -> bool {
        match self {
            Self::Path(path) => request.path() == path,
            Self::Method(method) => request.method == *method,
            Self::Has(name, has) => request.headers.contains_key(name) == *has,
            Self::Fits(fits) => fits(request),
        }
    }
}

/// One deviation from the honest answer. Those of a rule are applied phase by phase, as they are parted here: what comes before
/// an answer, what it is about, what its head says, what is sent.
#[derive(Clone, Debug)]
pub enum Act {
    /// Waits before it looks at anything: what it sees is what is current when the gate opens.
    Hold(Gate),
    /// Waits so long before it looks at anything. For measuring; tests have gates.
    Late(std::time::Duration),
    /// Sends an interim answer first (1xx), with these fields.
    Interim(u16, Vec<(String, String)>),
    /// Sends these bytes and closes.
    Garbage(Bytes),
    /// Resets the connection before a head.
    Reset,
    /// Closes it before a head.
    Close,
    /// Never answers; until the client goes away.
    Silence,

    /// Answers this, whatever was asked.
    Answer {
        status: u16,
        fields: Vec<(String, String)>,
        body: Bytes,
    },
    /// Looks at the request as if it did not have this field: `Range`, `If-Match`, `If-Range`, ...
    Ignore(HeaderName),
    /// Answers 206 with this range of the content, whatever was asked.
    Serve(Range<u64>),
    /// Makes a 206 a `multipart/byteranges` of these ranges.
    Multipart(Vec<Range<u64>>),

    /// Changes what the head says; see [`Act::edit`] and its kin.
    Edit(Edit),
    /// Waits when all is decided, before the head goes out: it may tell of a revision that has passed.
    HoldAnswer(Gate),

    /// Sends the body in chunks, without Content-Length.
    Chunked,
    /// Sends the body without Content-Length, and closes behind it.
    UntilClose,
    /// Stands still when `at` bytes of the body are sent, until the gate opens.
    Stall { at: u64, gate: Gate },
    /// Ends the connection when `at` bytes of the body are sent.
    Cut { at: u64, how: Ending },
}

/// How a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In order, as if all were well.
    Fin,
    /// As by a process that died.
    Rst,
}

/// A change to a reply.
#[derive(Clone)]
pub struct Edit(pub(super) Arc<dyn Fn(&mut Reply) + Send + Sync>);

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Edit(_)")
    }
}

impl Act {
    /// A bare status with a short text.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::answer(status, &[], format!("status {status}\n"))
    }

    #[must_use]
    pub fn answer(status: u16, fields: &[(&str, &str)], body: impl Into<Bytes>) -> Self {
        Self::Answer {
            status,
            fields: owned(fields),
            body: body.into(),
        }
    }

    /// 103 with a `Link`, as browsers know it.
    #[must_use]
    pub fn early_hints() -> Self {
        Self::Interim(103, owned(&[("Link", "</style.css>; rel=preload")]))
    }

    /// Any change to the head.
    #[must_use]
    pub fn edit(edit: impl Fn(&mut Reply) + Send + Sync + 'static) -> Self {
        Self::Edit(Edit(Arc::new(edit)))
    }

    /// Says this instead of what the field says, or in addition if the answer lacks it. A wrong `Content-Length` is sent as it
    /// is, and the connection closed behind the body.
    #[must_use]
    pub fn field(name: &str, value: impl Into<String>) -> Self {
        let (name, value) = (name.to_owned(), value.into());
        Self::edit(move |reply| reply.set(&name, &value))
    }

    /// Leaves a field out.
    #[must_use]
    pub fn lacks(name: &str) -> Self {
        let name = name.to_owned();
        Self::edit(move |reply| reply.remove(&name))
    }

    /// Makes the `Content-Range` of a 206 from its true first and last byte and total; the body stays.
    #[must_use]
    pub fn content_range(lie: impl Fn(u64, u64, u64) -> String + Send + Sync + 'static) -> Self {
        Self::edit(move |reply| {
            if let Some(range) = reply.range() {
                let lie = lie(range.start, range.end.saturating_sub(1), reply.total());
                reply.set("Content-Range", &lie);
            }
        })
    }

    /// Adds so many bytes of fields.
    #[must_use]
    pub fn oversized_head(bytes: usize) -> Self {
        let value = "x".repeat(bytes);
        Self::edit(move |reply| reply.set("X-Padding", &value))
    }
}

fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
