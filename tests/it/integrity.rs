//! What authorities say of the bytes of a whole object, against what is on disk.

use std::time::{Duration, SystemTime};

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue};
use pinstripe_kit::origin::{Act, Rule};
use pinstripe_kit::s3::{Object, S3Server};

use crate::stage::{SIZE, Stage, is_part, is_whole, pinned, ranged, resource, rev, tag};
use crate::support::{Sidecar, s3_config};

const SOUND: &str = "pinstripe_disk_verifications_total{outcome=\"sound\",tier=\"local\"}";
const MISMATCH: &str = "pinstripe_disk_verifications_total{outcome=\"mismatch\",tier=\"local\"}";
const FORGOTTEN: &str = "pinstripe_disk_evictions_total{reason=\"forgotten\",tier=\"local\"}";
const DATES: &str = "pinstripe_revisions_contradicted_total{kind=\"last-modified\"}";

fn sha256(n: u32) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    Sha256::digest(rev(n).bytes(0..SIZE)).to_vec()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Fields by which an HTTP server may name the checksum of a revision.
fn named(n: u32) -> [(&'static str, String); 3] {
    let sum = sha256(n);
    [
        ("Repr-Digest", format!("sha-256=:{}:", base64(&sum))),
        ("Digest", format!("SHA-256={}", base64(&sum))),
        ("X-Checksum-Sha256", hex(&sum)),
    ]
}

#[tokio::test]
async fn a_revision_is_compared_with_what_its_server_says() {
    for (name, value) in named(1) {
        let stage = Stage::start().await;
        let told = resource(1).field(name, value);
        stage.origin.put("/o", told);
        is_whole(&stage.get("GET /o").await, 1);
        stage.sidecar.counted(SOUND, 1).await;
        stage.origin.forget();
        is_part(&stage.get(&pinned(1, 5, SIZE - 1)).await, 1, 5, SIZE - 1);
        assert!(stage.origin.requests().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_revision_of_other_bytes_than_its_server_says_is_dropped() {
    for (name, value) in named(2) {
        let stage = Stage::start().await;
        let told = resource(1).field(name, value);
        stage.origin.put("/o", told);
        // Its own client got what the server sent, whatever that was.
        is_whole(&stage.get("GET /o").await, 1);
        stage.sidecar.counted(MISMATCH, 1).await;
        stage.sidecar.counted(FORGOTTEN, 5).await;
        stage.origin.forget();
        is_part(&stage.get(&pinned(1, 0, 99)).await, 1, 0, 99);
        assert_eq!(stage.origin.requests().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn s3_is_asked_for_checksums_of_the_whole_and_for_no_others() {
    let server = S3Server::start().await.unwrap();
    let name = HeaderName::from_static("x-amz-checksum-crc64nvme");
    let crc = |n: u32| {
        let sum = crc_fast::crc64_nvme(&rev(n).bytes(0..SIZE));
        HeaderValue::from_str(&base64(&sum.to_be_bytes())).unwrap()
    };
    let right = Object::pattern(rev(1), SIZE).checksum(name.clone(), crc(1));
    let wrong = Object::pattern(rev(2), SIZE).checksum(name.clone(), crc(1));
    server.store().put("bucket", "right", right);
    server.store().put("bucket", "wrong", wrong);
    let config = s3_config(&server, "").replace("block_size: 1MiB", "block_size: 64KiB");
    let sidecar = Sidecar::start(&config).await;
    is_whole(&sidecar.get("GET /a/right").await, 1);
    sidecar.counted(SOUND, 1).await;
    // The parallel way: what HEAD was told holds for the chunks that follow.
    assert_eq!(
        sidecar.get("HEAD /a/wrong").await.field(name.as_str()),
        Some(crc(1).to_str().unwrap())
    );
    is_part(&sidecar.get("GET /a/wrong; Range: bytes=0-99999").await, 2, 0, 99_999);
    let rest = format!("GET /a/wrong; Range: bytes=100000-{}; If-Match: {}", SIZE - 1, tag(2));
    let rest = sidecar.get(&rest).await;
    is_part(&rest, 2, 100_000, SIZE - 1);
    assert_eq!(rest.field(name.as_str()), None);
    sidecar.counted(MISMATCH, 1).await;
    for asked in server.counters().asked() {
        let whole = asked.field("range").is_none();
        assert_eq!(asked.field("x-amz-checksum-mode").is_some(), whole, "{asked:?}");
    }
}

#[tokio::test]
async fn a_tag_that_comes_with_another_date_drops_what_is_stored() {
    for request in [ranged(0, 99), "GET /o".to_owned(), "HEAD /o".to_owned()] {
        let stage = Stage::start().await;
        stage.fill().await;
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        let again = resource(2).tag(tag(1)).modified(Some(later));
        stage.origin.put("/o", again);
        stage
            .origin
            .script(Rule::any().act(Act::Ignore(IF_NONE_MATCH)).act(Act::Ignore(IF_MATCH)));
        assert!(stage.get(&request).await.status() < 300, "{request}");
        assert_eq!(stage.sidecar.count(DATES).await, 1, "{request}");
        // The bytes that its pin gets are the ones that the origin has now.
        let answer = stage.get(&pinned(1, 70_000, 70_099)).await;
        assert!(answer.body == rev(2).bytes(70_000..70_100), "{request}");
        assert_eq!(stage.sidecar.count(DATES).await, 1, "{request}");
    }
}

/// As above, told by a 304: it confirms a tag, and tells by its date that it is not that of the bytes that are here.
#[tokio::test]
async fn a_304_with_another_date_confirms_nothing() {
    for request in ["GET /o", "GET /o; Range: bytes=0-99"] {
        let stage = Stage::start().await;
        is_whole(&stage.get("GET /o").await, 1);
        let later = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let other = resource(2).tag(tag(1)).modified(later);
        stage.origin.put("/o", other);
        stage.origin.forget();
        let answer = stage.get(request).await;
        rev(2).verify(0, &answer.body).unwrap();
        let asked: Vec<bool> = stage
            .origin
            .requests()
            .iter()
            .map(|request| request.headers.contains_key(IF_NONE_MATCH))
            .collect();
        assert_eq!(asked, [true, false], "{request}");
        stage.sidecar.counted(DATES, 1).await;
    }
}
