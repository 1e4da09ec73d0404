//! Asks one server for ranges or whole objects, as fast as it can or at a fixed rate, and prints as JSON how that went.
//!
//! Bodies are discarded by the kernel (`recv` with `MSG_TRUNC`), so that their bytes cost the client nothing but the
//! protocol. What is checked of each answer is its head: status, length, range and tag. Anything else than what was asked
//! for ends the run, and so does a connection that is cut: figures of a server that fails now and then would mean nothing.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`arguments`] | the command line |
//! | [`target`] | the objects to ask for |
//! | [`ask`] | the next request, and what its answer must be |
//! | [`head`] | an answer's head, and whether it is that; pure |
//! | [`schedule`] | when requests of a fixed rate are due; pure |
//! | [`connection`] | one connection, a request at a time |
//! | [`worker`] | a thread with its share of the connections |
//! | [`tally`] | what is counted, and its quantiles; pure |

mod arguments;
mod ask;
mod connection;
mod head;
mod schedule;
mod tally;
mod target;
mod worker;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use arguments::Arguments;
use ask::{Asks, Walk};
use schedule::Schedule;
use tally::Tally;
use worker::{Pace, Period, Worker};

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let targets: Arc<[_]> = target::load(&arguments.targets)?.into();
    let turn = Arc::new(AtomicUsize::new(0));
    let threads = arguments.threads.min(arguments.connections).max(1);
    let mut workers = Vec::new();
    for index in 0..threads {
        let walk = if arguments.once {
            Walk::Once(Arc::clone(&turn))
        } else {
            Walk::Random { seed: index as u64 }
        };
        let asks = Asks::new(Arc::clone(&targets), arguments.size, arguments.server, walk)?;
        let connections = (index..arguments.connections).step_by(threads).count();
        workers.push(Worker::connect(arguments.server, connections, asks)?);
    }

    let spent = cpu();
    let period = Period::from(now(), arguments.seconds.map(Duration::from_secs_f64));
    let runs: Vec<_> = (0..)
        .zip(workers)
        .map(|(index, worker)| {
            let pace = match arguments.rate {
                Some(rate) => Pace::Open(Schedule::share(rate, index, threads)),
                None => Pace::Closed,
            };
            thread::spawn(move || worker.run(pace, period))
        })
        .collect();
    let mut tally = Tally::default();
    for run in runs {
        tally.add(run.join().map_err(|_| anyhow!("a thread panicked"))??);
    }
    let spent = cpu().saturating_sub(spent);
    print(&arguments, threads, &tally.report(period), spent)
}

fn print(arguments: &Arguments, threads: usize, report: &tally::Report, spent: Duration) -> Result<()> {
    let out = json!({
        "connections": arguments.connections,
        "threads": threads,
        "rate": arguments.rate,
        "requests": report.requests,
        "bytes": report.bytes,
        "seconds": report.seconds,
        "requests_per_second": report.requests_per_second,
        "bytes_per_second": report.bytes_per_second,
        "latency_us": report.latency,
        "late_us": report.late,
        "reconnects": report.reconnects,
        "cpu_seconds": spent.as_secs_f64(),
    });
    println!("{}", serde_json::to_string(&out).context("no JSON")?);
    Ok(())
}

/// What this process has used of the processors.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap_or(0),
        time.tv_nsec.try_into().unwrap_or(0),
    )
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock, and only here")]
fn now() -> Instant {
    Instant::now()
}
