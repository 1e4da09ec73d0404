//! Pinstripe: a caching sidecar for artifact storage whose parallel downloads never mix two revisions.
//!
//! This page is the legend of the source. Modules are listed in reading order, and imports point one
//! way, from later to earlier (`tests/tidy.rs` enforces it):
//!
//! | module | owns | never |
//! | --- | --- | --- |
//! | [`object`] | the vocabulary: keys, validators, ranges, blocks, heads, questions | I/O, clocks |
//! | [`config`] | YAML to a configuration that is valid by construction | starts anything |
//! | [`request`] | what a client asked: strictness, classes, conditionals, routes | I/O, clocks |
//! | [`net`] | how upstreams are reached: address guard, pooled client, servers that share objects | decides what is asked |
//! | [`plan`] | the decisions of the contract, as pure functions | awaits, counts, touches a disk |
//! | [`tier`] | upstreams (`http`, `s3`) and block stores (`disk`, memory) | knows of clients |
//! | [`fetch`] | runs a plan: flights, discovery groups, bodies | decides |
//! | [`proxy`] | the Pingora edge: listeners, answers, pass-through, admin | decides |
//! | [`app`] | the composition root | is imported |

pub mod clock;
pub mod metrics;

pub mod object;

pub mod config;

pub mod net;
pub mod request;

pub mod plan;

pub mod tier;

pub mod fetch;

pub mod proxy;

pub mod app;
