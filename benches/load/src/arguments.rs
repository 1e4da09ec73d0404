//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::ask::Size;

/// Load for a server of byte ranges; prints one line of JSON.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Where the server listens.
    #[arg(long)]
    pub(crate) server: SocketAddr,
    /// A file with a line `PATH ETAG SIZE` for each object.
    #[arg(long)]
    pub(crate) targets: PathBuf,
    /// Bytes of each range, pinned by If-Match; or `whole`, for plain GETs.
    #[arg(long)]
    pub(crate) size: Size,
    /// How many connections are kept open, one request at a time on each.
    #[arg(long, default_value_t = 1)]
    pub(crate) connections: usize,
    /// How many threads share them.
    #[arg(long, default_value_t = 2)]
    pub(crate) threads: usize,
    /// How long requests are begun. Those in flight then may end.
    #[arg(long, required_unless_present = "once", value_parser = seconds)]
    pub(crate) seconds: Option<f64>,
    /// Requests per second, begun on time whether or not earlier ones have ended, as far as there are connections.
    /// Latency counts from when a request was due. Left out, each connection asks again as soon as it has its answer.
    #[arg(long, conflicts_with = "once", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Ask for every range of every object once, in order, instead of for random ones.
    #[arg(long)]
    pub(crate) once: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    between(text, 0.01, 3600.0)
}

fn rate(text: &str) -> Result<f64, String> {
    between(text, 0.01, 10_000_000.0)
}

fn between(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(format!("not between {least} and {most}"))
    }
}
