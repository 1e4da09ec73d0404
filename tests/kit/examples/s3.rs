//! The S3 server by itself, for real clients: prints how to reach it, and runs until its standard input ends.
//!
//! `cargo run --release -p pinstripe-kit --example s3`
#![expect(clippy::expect_used, reason = "by hand")]

use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::s3::S3Server;
use tokio::io::AsyncReadExt;

#[tokio::main]
async fn main() {
    let server = S3Server::start().await.expect("loopback");
    server.put_pattern("box", "pattern", Pattern::new(1, 1), 64 << 20);
    let options = server.options();
    println!("AWS_ENDPOINT_URL={}", server.url());
    println!("AWS_ACCESS_KEY_ID={}", options.access_key);
    println!("AWS_SECRET_ACCESS_KEY={}", options.secret_key);
    println!("AWS_DEFAULT_REGION=us-east-1");
    let mut rest = Vec::new();
    // Whatever is typed is of no interest; a bound keeps it small.
    let _ = tokio::io::stdin().take(1 << 20).read_to_end(&mut rest).await;
    println!("{:#?}", server.counters().snapshot());
}
