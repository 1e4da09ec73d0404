//! However large the object and however many connections: the process stays small.

use pinstripe_kit::client::Download;
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::s3::S3Server;

use crate::process::Process;
use crate::support::s3_config;

const SIZE: u64 = 768 << 20;
/// In KiB; the code itself is a third of it in a debug build.
const MOST: u64 = 100 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_connections_fit_into_a_hundred_mebibytes() {
    let folder = tempfile::tempdir().unwrap();
    let server = S3Server::start().await.unwrap();
    server.put_pattern("bucket", "large", Pattern::new(9, 1), SIZE);
    let config = s3_config(&server, "").replace("block_size: 1MiB", "block_size: 4MiB");
    let process = Process::start(folder.path(), &config).await;
    let download = Download {
        connections: 64,
        ..Download::new([process.address], "/a/large", 9)
    };
    // From S3, and from the disk.
    for _ in 0..2 {
        let outcome = download.run().await;
        assert_eq!(outcome.verified, Ok(Some(1)), "{outcome:?}");
        let peak = process.peak_memory();
        assert!(peak < MOST, "{peak} KiB");
    }
}
