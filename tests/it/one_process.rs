//! A disk tier is one process's: a second one does not start, and says why.

use std::process::Stdio;

use tokio::process::Command;

use crate::process::Process;
use crate::support::http_config;

#[tokio::test]
async fn a_second_process_on_the_same_folder_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = http_config("http://127.0.0.1:1", "");
    let first = Process::start(folder.path(), &config).await;
    let second = Command::new(env!("CARGO_BIN_EXE_pinstripe"))
        .args(["run", "--config"])
        .arg(folder.path().join("pinstripe.yaml"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("in use by another process"), "{said}");
    // The lock is the kernel's: it is gone with the process, however that ended.
    first.kill().await;
    Process::start(folder.path(), &config).await.kill().await;
}
