//! A disk that goes away under a running sidecar: requests are answered all the same, and `/readyz` says why it is worse.

use crate::stage::{Stage, is_whole, resource};
use crate::support::get;

#[tokio::test]
async fn without_its_directory_it_passes_everything_on_and_says_so() {
    let stage = Stage::start().await;
    stage.fill().await;
    std::fs::remove_dir_all(stage.sidecar.disk.path().join("cache")).unwrap();
    for n in 0..12 {
        let path = format!("/other/{n}");
        stage.origin.put(&path, resource(2));
        is_whole(&stage.get(&format!("GET {path}")).await, 2);
    }
    let gone = "pinstripe_disk_faults_total{kind=\"gone\",tier=\"local\"}";
    stage.sidecar.counted(gone, 8).await;
    let ready = get(stage.sidecar.admin, "GET /readyz").await;
    let text = String::from_utf8_lossy(&ready.body).into_owned();
    assert_eq!(ready.status(), 200, "{text}");
    assert!(text.contains("tier local: nothing can be written"), "{text}");
    // What it held is open, or is fetched anew.
    is_whole(&stage.get("GET /o").await, 1);
}
