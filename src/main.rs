//! The command line: arguments, environment, logging, exit codes.
//!
//! Owns what is read of the outside once, at the start. Never knows how anything is served: that is `app`.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use pinstripe::app::inspect::{Inspection, Progress, inspect};
use pinstripe::app::shown::JsonLines;
use pinstripe::app::{App, Surroundings};
use pinstripe::clock::Clock;
use pinstripe::config::{self, Config, Faults};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// `EX_USAGE` of sysexits: what was said is wrong, and saying it again will not help.
const BAD_INPUT: u8 = 64;

/// A caching sidecar for artifact storage: parallel downloads that never mix two revisions.
#[derive(Debug, Parser)]
#[command(name = "pinstripe", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What goes to the log: off, error, warn, info, debug, trace, or a filter such as `info,pinstripe::fetch=debug`
    #[arg(long, global = true, value_name = "LEVEL", env = "PINSTRIPE_LOG", default_value = "info", value_parser = log_level)]
    log_level: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve, until told to stop
    Run {
        #[command(flatten)]
        source: Source,
    },
    /// Validate the configuration; report every fault with its line
    Check {
        #[command(flatten)]
        source: Source,
    },
    /// Print the JSON Schema of the configuration
    Schema,
    /// Look at what the disk tiers hold, also while a sidecar uses them
    Disk {
        page: Page,
        #[command(flatten)]
        source: Source,
        /// For programs
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Page {
    /// Check every byte
    Verify,
    /// Show objects with their revisions
    List,
    /// Sum up bytes by route
    Usage,
}

#[derive(Debug, Args)]
struct Source {
    /// The configuration
    #[arg(
        long,
        value_name = "FILE",
        env = "PINSTRIPE_CONFIG",
        default_value = "/etc/pinstripe/pinstripe.yaml"
    )]
    config: PathBuf,
}

/// The configuration is nowhere to be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}, the file of --config or PINSTRIPE_CONFIG", file.display())]
struct Unreadable {
    file: PathBuf,
    source: io::Error,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => return usage(&message),
    };
    let outcome = match cli.command {
        Command::Run { source } => run(&source.config, &cli.log_level),
        Command::Check { source } => check(&source.config),
        Command::Schema => schema(),
        Command::Disk { page, source, json } => disk(page, &source.config, json),
    };
    outcome.map_or_else(|error| report(&error), |()| ExitCode::SUCCESS)
}

/// Help and version are no errors; clap prints both and tells them apart.
fn usage(message: &clap::Error) -> ExitCode {
    // There is nobody left to tell that telling failed.
    let _ = message.print();
    if message.use_stderr() {
        BAD_INPUT.into()
    } else {
        ExitCode::SUCCESS
    }
}

fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(faults) = error.downcast_ref::<Faults>() {
        tell(&format!("{faults}\n"));
        return BAD_INPUT.into();
    }
    tell(&format!("pinstripe: {error:#}\n"));
    if error.is::<Unreadable>() {
        BAD_INPUT.into()
    } else {
        ExitCode::FAILURE
    }
}

/// As `eprint!`, but where nobody can be told there is no reason to panic: the exit code says it as well.
fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

fn run(file: &Path, log_level: &str) -> anyhow::Result<()> {
    let config = load(file)?;
    let _flush_at_the_end = log_to_stderr(log_level)?;
    raise_limit_of_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime; look at the limits of threads and memory")?;
    runtime.block_on(serve(config))
}

/// Connections and blocks take a descriptor each, and the limit that is usual is made for `select`, which is not used
/// here: as many as are allowed may be open.
fn raise_limit_of_files() {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: before.maximum,
        ..before
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => tracing::debug!(from = before.current, to = raised.current, "open files"),
        Err(error) => tracing::debug!(%error, limit = before.current, "the limit of open files stays"),
    }
}

/// Serves until told to stop.
async fn serve(config: Config) -> anyhow::Result<()> {
    let stop = stop_signal()?;
    let _outlived = outlive_limit_of_size()?;
    let app = App::start(config, Surroundings::default()).await?;
    for address in app.addresses() {
        tracing::info!(%address, "listening");
    }
    tracing::info!(address = %app.admin_address()?, "listening for metrics and health");
    app.run(stop).await;
    tracing::info!("stopped");
    Ok(())
}

/// Resolves at SIGTERM (an orchestrator) or SIGINT (a terminal).
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Where files may not grow beyond a limit (`ulimit -f`), a write that would is an error, and not the end of the process
/// as it is by default.
fn outlive_limit_of_size() -> anyhow::Result<tokio::signal::unix::Signal> {
    let kind = tokio::signal::unix::SignalKind::from_raw(Signal::XFSZ.as_raw());
    tokio::signal::unix::signal(kind).context("cannot listen for SIGXFSZ")
}

fn check(file: &Path) -> anyhow::Result<()> {
    let config = load(file)?;
    let routes: String = config.routes.iter().map(|route| format!("  {route}\n")).collect();
    print(&format!("{}: ok\n{routes}", file.display()))
}

fn schema() -> anyhow::Result<()> {
    print(&format!("{:#}\n", config::schema()))
}

/// Looks at disks, and fails if anything is damaged.
fn disk(page: Page, file: &Path, json: bool) -> anyhow::Result<()> {
    let config = load(file)?;
    let what = match page {
        Page::Verify => Inspection::Verify,
        Page::List => Inspection::List,
        Page::Usage => Inspection::Usage,
    };
    let mut progress: Box<dyn FnMut(Progress<'_>)> = if io::stderr().is_terminal() {
        Box::new(show)
    } else {
        Box::new(|_| {})
    };
    let inspected = inspect(&config, what, Clock::system().now(), &mut *progress)?;
    print(if json { &inspected.json } else { &inspected.text })?;
    if inspected.damaged {
        anyhow::bail!("damaged files; they are never served, and go when they are read: nothing needs to be done");
    }
    Ok(())
}

/// One line on a terminal that is written over again and again, and goes in the end.
fn show(progress: Progress<'_>) {
    let Progress { tier, done, of } = progress;
    if done >= of {
        tell("\r\x1b[K");
    } else if done % 64 == 1 {
        tell(&format!("\r{tier}: {done} of {of} files\x1b[K"));
    }
}

/// As `print!`, but a reader that has seen enough is no reason to panic.
fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("cannot write to stdout"),
        _ => Ok(()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the home of the configuration's file and of the environment"
)]
fn load(file: &Path) -> anyhow::Result<Config> {
    let bytes = std::fs::read(file).map_err(|source| Unreadable {
        file: file.to_owned(),
        source,
    })?;
    let environment = |name: &str| std::env::var_os(name).map(OsString::into_string)?.ok();
    let config = Config::parse_bytes(&bytes, &environment);
    Ok(config.map_err(|faults| faults.in_file(file.display().to_string()))?)
}

/// A filter takes any word for the name of a module; here a lone word is a level or a mistake.
fn log_level(text: &str) -> Result<String, String> {
    let is_level = text.parse::<LevelFilter>().is_ok();
    let is_filter = text.contains('=') && EnvFilter::try_new(text).is_ok();
    if is_level || is_filter {
        Ok(text.to_owned())
    } else {
        Err("expected off, error, warn, info, debug, trace, or a filter such as `info,pinstripe::fetch=debug`".into())
    }
}

/// Text for people at a terminal; JSON, from a thread of its own, for machines. Lines are dropped rather than waited for.
fn log_to_stderr(level: &str) -> anyhow::Result<Option<WorkerGuard>> {
    let filter = EnvFilter::try_new(level)?;
    // What cannot be written is lost; to say so on the same stream would be to panic.
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .log_internal_errors(false);
    if io::stderr().is_terminal() {
        log.with_writer(io::stderr).init();
        return Ok(None);
    }
    let (writer, guard) = tracing_appender::non_blocking(JsonLines(io::stderr()));
    log.json().with_writer(writer).init();
    Ok(Some(guard))
}
