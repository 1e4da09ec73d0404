//! Chunks in random order on many connections, as the CRT asks for them: every block is fetched once.

use futures_util::future::join_all;
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::{End, Wire};
use pinstripe_kit::s3::S3Server;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::support::{Sidecar, head, s3_config};

const SIZE: u64 = 128 << 20;
const CHUNK: u64 = 1 << 20;
const CONNECTIONS: usize = 32;
const ONE: Pattern = Pattern::new(4, 1);

/// Deterministic: a step that is prime to the number of chunks visits each of them once.
fn order() -> VecDeque<u64> {
    let chunks = SIZE / CHUNK;
    (0..chunks).map(|n| (n * 101 + 17) % chunks).collect()
}

async fn worker(address: SocketAddr, chunks: Arc<Mutex<VecDeque<u64>>>) {
    let mut wire = Wire::connect(address).await.unwrap();
    loop {
        let Some(chunk) = chunks.lock().pop_front() else { return };
        let first = chunk * CHUNK;
        let range = format!("Range: bytes={first}-{}", first + CHUNK - 1);
        let request = head(address, &format!("GET /a/x; {range}; If-Match: {}", ONE.etag()));
        let answer = wire.exchange(request).await.unwrap();
        assert_eq!(
            (answer.status(), answer.end),
            (206, End::Complete),
            "{range}: {:?}",
            answer.head
        );
        ONE.verify(first, &answer.body).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_block_is_fetched_once() {
    let server = S3Server::start().await.unwrap();
    server.put_pattern("bucket", "x", ONE, SIZE);
    // A disk that keeps up, however busy the machine is.
    let config = s3_config(&server, "").replace("block_size: 1MiB", "block_size: 4MiB") + "limits: { fills: 256MiB }\n";
    let sidecar = Sidecar::start(&config).await;
    let chunks = Arc::new(Mutex::new(order()));
    join_all((0..CONNECTIONS).map(|_| worker(sidecar.address, chunks.clone()))).await;
    server.counters().idle().await;
    let sent = server.counters().snapshot().body_bytes;
    assert!(sent <= SIZE + SIZE / 20, "{sent} bytes for {SIZE}");
}
