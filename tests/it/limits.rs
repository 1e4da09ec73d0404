//! Limits that are set on the process from outside.

use pinstripe_kit::origin::{Origin, Resource};
use pinstripe_kit::pattern::Pattern;
use serde_json::Value;

use crate::process::Process;
use crate::support::{get, http_config};

const ONE: Pattern = Pattern::new(1, 1);
const SIZE: u64 = 200_000;

/// Starts it by way of a shell that sets a limit.
async fn start(limit: &str, origin: &Origin, folder: &std::path::Path) -> Process {
    let script = format!("ulimit {limit}; exec \"$@\"");
    let by = ["env", "PINSTRIPE_LOG=debug", "sh", "-c", &script, "sh"].map(str::to_owned);
    Process::start_by(&by, folder, &http_config(&origin.url(), "")).await
}

#[tokio::test]
async fn files_that_may_not_grow_are_a_full_disk_and_not_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await.unwrap();
    origin.put("/x", Resource::pattern(ONE, SIZE));
    // 32 or 64 KiB, as the shell counts, and thus less than a block with its footer.
    let process = start("-f 64", &origin, folder.path()).await;
    let full = async {
        loop {
            let answer = process.get("GET /x").await;
            assert_eq!(answer.status(), 200);
            ONE.verify(0, &answer.body).unwrap();
            let ready = get(process.admin, "GET /readyz").await;
            if String::from_utf8_lossy(&ready.body).contains("tier local: the device is full") {
                return;
            }
        }
    };
    full.await;
    process.signal("TERM").await;
    let (status, log) = process.ended().await;
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

#[tokio::test]
async fn as_many_files_are_open_as_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await.unwrap();
    let process = start("-Sn 200", &origin, folder.path()).await;
    let is_it = |line: &&Value| line["fields"]["message"] == "open files";
    let raised = process.log.iter().find(is_it).unwrap()["fields"].clone();
    assert_eq!(raised["from"], 200, "{raised}");
    assert!(raised["to"].as_u64() > Some(200), "{raised}");
    process.kill().await;
}
