//! The binary, as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use pinstripe_kit::raw::Answer;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinSet;

use crate::support::get;

/// A running `pinstripe run`; killed when it is dropped.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// What it logged up to where it listens.
    pub(crate) log: Vec<Value>,
    child: Child,
    /// Reads the rest of the log, so that it never waits for us.
    rest: JoinSet<Vec<Value>>,
}

impl Process {
    /// Starts with a configuration in which `{disk}` stands for a directory in `folder`.
    pub(crate) async fn start(folder: &Path, yaml: &str) -> Self {
        Self::start_by(&[], folder, yaml).await
    }

    /// Starts by way of another program, whose arguments end in ours, and which becomes us.
    pub(crate) async fn start_by(by: &[String], folder: &Path, yaml: &str) -> Self {
        let config = write(
            folder,
            &yaml.replace("{disk}", &folder.join("cache").display().to_string()),
        );
        let ours = env!("CARGO_BIN_EXE_pinstripe").to_owned();
        let words = [by, &[ours]].concat();
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .args(["run", "--config"])
            .arg(config)
            .env_clear()
            .env("AWS_ACCESS_KEY_ID", "kit-access-key")
            .env("AWS_SECRET_ACCESS_KEY", "kit-secret-key")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = Vec::new();
        let address = told(&mut lines, &mut log, "listening").await;
        let admin = told(&mut lines, &mut log, "listening for metrics and health").await;
        let mut rest = JoinSet::new();
        rest.spawn(async move { all(lines).await });
        Self {
            address,
            admin,
            log,
            child,
            rest,
        }
    }

    pub(crate) async fn get(&self, request: &str) -> Answer {
        get(self.address, request).await
    }

    /// As the kernel ends it when there is no memory left.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Waits for its end: the status, and what it logged.
    pub(crate) async fn ended(mut self) -> (ExitStatus, Vec<Value>) {
        let status = self.child.wait().await.unwrap();
        let rest = self.rest.join_next().await.unwrap().unwrap();
        self.log.extend(rest);
        (status, std::mem::take(&mut self.log))
    }

    /// The most memory that it ever had, in KiB (`VmHWM`).
    #[expect(clippy::disallowed_methods, reason = "the kernel tells it in a file")]
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// The address in the line that says so.
async fn told(lines: &mut Lines<BufReader<ChildStderr>>, log: &mut Vec<Value>, message: &str) -> SocketAddr {
    while let Some(line) = lines.next_line().await.unwrap() {
        let line: Value = serde_json::from_str(&line).unwrap_or(Value::String(line));
        let said = line["fields"]["message"] == message;
        let address = line["fields"]["address"].as_str().map(str::to_owned);
        log.push(line);
        if said {
            return address.unwrap().parse().unwrap();
        }
    }
    panic!("it ended before it said {message:?}: {log:#?}");
}

async fn all(mut lines: Lines<BufReader<ChildStderr>>) -> Vec<Value> {
    let mut log = Vec::new();
    while let Ok(Some(line)) = lines.next_line().await {
        log.push(serde_json::from_str(&line).unwrap_or(Value::String(line)));
    }
    log
}

#[expect(clippy::disallowed_methods, reason = "the process reads it")]
fn write(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("pinstripe.yaml");
    std::fs::write(&file, text).unwrap();
    file
}
