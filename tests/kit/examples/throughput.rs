//! How fast the kit is by itself: a server and a client that are slower than what they test would measure themselves.
//!
//! `cargo run --release -p pinstripe-kit --example throughput`
#![expect(
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a measurement for the eye"
)]

use pinstripe_kit::client::Download;
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::s3::{S3Options, S3Server};
use tokio::time::Instant;

const SIZE: u64 = 4 << 30;

#[tokio::main]
async fn main() {
    let pattern = Pattern::new(1, 1);
    let mut piece = vec![0; 128 << 10];
    let rate = |bytes: u64, begun: Instant| bytes as f64 / begun.elapsed().as_secs_f64() / 1e9;

    let begun = Instant::now();
    (0..SIZE)
        .step_by(piece.len())
        .for_each(|at| pattern.fill(at, &mut piece));
    println!("generate  {:6.2} GB/s", rate(SIZE, begun));

    pattern.fill(0, &mut piece);
    let begun = Instant::now();
    (0..SIZE)
        .step_by(piece.len())
        .for_each(|_| pattern.verify(0, &piece).expect("the same bytes"));
    println!("verify    {:6.2} GB/s", rate(SIZE, begun));

    let options = S3Options {
        public_reads: true,
        ..S3Options::default()
    };
    let server = S3Server::start_with(options).await.expect("loopback");
    server.put_pattern("box", "key", pattern, SIZE);
    for connections in [1, 8] {
        let download = Download {
            connections,
            ..Download::new([server.addr()], "/box/key", 1)
        };
        let begun = Instant::now();
        let outcome = download.run().await;
        println!(
            "download  {:6.2} GB/s over {connections}: {:?}",
            rate(outcome.bytes, begun),
            outcome.verified
        );
    }
}
