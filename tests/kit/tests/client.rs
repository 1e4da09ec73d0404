//! The parallel download against servers that change under it.

use pinstripe_kit::client::{Discovery, Download};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::s3::{S3Options, S3Server};

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn downloads_survive_an_overwrite_and_never_splice() {
    let server = S3Server::start_with(S3Options {
        public_reads: true,
        ..S3Options::default()
    })
    .await
    .unwrap();
    let etag = server.put_pattern("box", "key", Pattern::new(7, 1), 40 * MIB + 5);
    for discovery in [Discovery::BareRange, Discovery::Head] {
        let mut download = Download::new([server.addr(), server.addr()], "/box/key", 7);
        download.discovery = discovery;
        let outcome = download.run().await;
        assert_eq!((outcome.verified, outcome.size), (Ok(Some(1)), Some(40 * MIB + 5)));
        assert_eq!(
            (outcome.etag, outcome.restarts, outcome.bytes),
            (Some(etag.clone()), 0, 40 * MIB + 5)
        );
    }
    // Eight chunks stand before the gate when the object changes.
    server.gate().close();
    server.gate().admit(1);
    let download = Download::new([server.addr()], "/box/key", 7);
    let bare = Download {
        pin: false,
        chunk: 4 * MIB,
        ..download.clone()
    };
    let overwrite = async {
        server.gate().waiting(5).await;
        server.put_pattern("box", "key", Pattern::new(7, 2), 40 * MIB + 5);
        server.gate().open();
    };
    let (outcome, ()) = tokio::join!(download.run(), overwrite);
    assert_eq!((outcome.verified, outcome.restarts), (Ok(Some(2)), 1));
    assert!(outcome.precondition_failed > 0 && !outcome.spliced);
    // The same without pins: this is what Pinstripe is for.
    server.gate().close();
    server.gate().admit(1);
    let overwrite = async {
        server.gate().waiting(8).await;
        server.put_pattern("box", "key", Pattern::new(7, 3), 40 * MIB + 5);
        server.gate().open();
    };
    let (outcome, ()) = tokio::join!(bare.run(), overwrite);
    assert!(outcome.spliced, "{outcome:?}");
}
