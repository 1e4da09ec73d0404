//! Whose share an object is in, of ten servers.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use pinstripe::config::BaseUrl;
use pinstripe::net::Endpoints;

use super::Call;
use super::object::PATH;

const SERVERS: usize = 10;

pub(crate) fn order(_: &Path) -> Result<Call> {
    let url = |n| serde_json::from_value(format!("http://cache-{n}.cache:8080").into());
    let urls: Vec<BaseUrl> = (0..SERVERS).map(url).collect::<Result<_, _>>()?;
    let endpoints = Endpoints::listed("cache", &urls, Duration::from_secs(1), Arc::new(|_| ())).context("no server")?;
    let first = move || endpoints.candidates(black_box(PATH), None).now_or_never()?.ok()?.next();
    ensure!(first().is_some());
    Ok(Box::new(move |_| drop(black_box(first()))))
}
