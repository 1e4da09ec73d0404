//! One read in one world, run to its end: what the client got, and what was said on the way.

use http::{HeaderMap, StatusCode, header};

use super::disk::Disk;
use super::engine::{Asking, Carried, End, Engine, Flight};
use super::parse::now;
use super::world::{Has, World};
use crate::object::{ETag, Heard, Method, StrongETag};
use crate::plan::{Detail, Reply, Terms, Told, Trace, effective, relay_fields, reply_fields, served_fields};
use crate::request::Read;

/// What a client got.
#[derive(Debug)]
pub(super) struct Outcome {
    /// As the client asked.
    pub(super) read: Read,
    /// After If-Range had its say.
    pub(super) effective: Read,
    pub(super) terms: Terms,
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
    pub(super) detail: Detail,
    pub(super) body: Body,
    /// Whether a local block was found damaged before the head went out.
    pub(super) found_damage: bool,
    /// When the head went out: the first byte that nobody had been asked for yet.
    pub(super) hole: Option<u64>,
    /// Whether the answer is one that was handed on.
    pub(super) relayed: bool,
    /// The bodies that were taken for blocks of a revision.
    pub(super) flights: Vec<Flight>,
    /// The answers before the head went out, as they were believed, with what the authority had then.
    pub(super) log: Vec<(Asking, Told, Option<Has>)>,
    pub(super) before: Disk,
    /// When the head went out.
    pub(super) after: Disk,
}

/// The bytes of a body, by what they really are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// None, or words of our own.
    Empty,
    Bytes(Vec<Carried>),
    Aborted,
}

pub(super) fn run(read: &Read, disk: &mut Disk, rotten: Option<u64>, world: &mut World) -> Outcome {
    let before = disk.clone();
    let terms = world.terms;
    let first = world.truth.len();
    let mut engine = Engine::new(read, &terms, now(), disk, world);
    engine.rotten.extend(rotten);
    let end = engine.run();
    let effective = effective(read, &engine.facts).into_owned();
    let (log, after) = (engine.log.clone(), engine.disk.clone());
    let (status, fields, detail) = head(&end, &effective, &terms);
    let mut hole = None;
    let body = match &end {
        End::Serve(serve) => match serve.shape.body(read.method, serve.head.size()) {
            None => Body::Empty,
            Some(range) => {
                hole = engine
                    .first_hole(&serve.head, range)
                    .map(|index| terms.block_size.start_of(index));
                engine.body(&serve.head, range).map_or(Body::Aborted, Body::Bytes)
            }
        },
        End::Relay(relay, _, Some(bytes)) if read.method == Method::Get && !relay.not_modified => {
            let sent = relay.cut.map_or(bytes.range, |cut| cut.sent);
            assert_eq!(bytes.range.intersect(sent), Some(sent), "a cut lies within what came");
            Body::Bytes(vec![Carried {
                range: sent,
                ..bytes.clone()
            }])
        }
        End::Relay(_, _, _) | End::Reply(_) => Body::Empty,
    };
    let found_damage = !engine.damaged.is_empty();
    let flights = std::mem::take(&mut engine.flights);
    let truth = world.truth[first..].iter().copied();
    Outcome {
        read: read.clone(),
        effective,
        terms,
        status,
        fields,
        detail,
        body,
        flights,
        found_damage,
        hole,
        relayed: matches!(end, End::Relay(_, _, _)),
        log: log
            .into_iter()
            .zip(truth)
            .map(|((asking, told), had)| (asking, told, had))
            .collect(),
        before,
        after,
    }
}

fn head(end: &End, read: &Read, terms: &Terms) -> (StatusCode, HeaderMap, Detail) {
    let trace = Trace::default();
    match end {
        End::Serve(serve) => match served_fields(serve, read, &trace, "pinstripe", now()) {
            Some((status, fields)) => (status, fields, serve.detail),
            None => {
                let reply = Reply::new(StatusCode::RANGE_NOT_SATISFIABLE, serve.detail);
                let length = Some(serve.head.size().bytes());
                let made = reply_fields(&Reply { length, ..reply }, terms.s3_dialect, &trace, "pinstripe");
                (made.status, made.fields, serve.detail)
            }
        },
        End::Relay(relay, told, _) => {
            let found = told.heard.found().unwrap();
            let (status, fields) = relay_fields(relay, found, None, read.method, &trace, "pinstripe");
            (status, fields, relay.detail)
        }
        End::Reply(reply) => {
            let made = reply_fields(reply, terms.s3_dialect, &trace, "pinstripe");
            (made.status, made.fields, reply.detail)
        }
    }
}

impl Outcome {
    /// 200, 206: bytes of something are promised.
    pub(super) fn is_good(&self) -> bool {
        matches!(self.status.as_u16(), 200 | 206)
    }

    /// The tag that the client is told.
    pub(super) fn tag(&self) -> Option<ETag> {
        ETag::parse(self.fields.get(header::ETAG)?.as_bytes())
    }

    pub(super) fn strong_tag(&self) -> Option<StrongETag> {
        self.tag()?.strong().cloned()
    }

    /// The answers of the authority.
    pub(super) fn authority(&self) -> impl DoubleEndedIterator<Item = &Told> {
        let deepest = self.terms.authority();
        self.log
            .iter()
            .map(|(_, told, _)| told)
            .filter(move |told| told.tier == deepest)
    }

    /// The authority's words on what is current, with what it really had.
    pub(super) fn words(&self) -> impl DoubleEndedIterator<Item = (&Told, Has)> {
        let words = self
            .log
            .iter()
            .filter(|(asking, _, _)| matches!(asking, Asking::Discover | Asking::Anew));
        words.map(|(_, told, had)| (told, had.flatten()))
    }

    pub(super) fn met(&self, what: impl Fn(&Heard) -> bool) -> bool {
        self.log.iter().any(|(_, told, _)| what(&told.heard))
    }
}

pub(super) fn is_error(heard: &Heard) -> bool {
    matches!(heard, Heard::Failed(_))
}
