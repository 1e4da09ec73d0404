//! S3 is read with an identity of our own: what clients sign with is theirs, and what S3 says of ours is our trouble.

use pinstripe_kit::s3::{S3Options, S3Server, Store};

use crate::s3_dialect::server;
use crate::stage::{detail, is_part, rev};
use crate::support::{Sidecar, s3_config};

#[tokio::test]
async fn a_clients_signature_is_neither_looked_at_nor_passed_on() {
    let (server, sidecar) = server().await;
    let scope = "20260101/us-east-1/s3/aws4_request";
    let signed = format!(
        "GET /a/o; Range: bytes=0-9; Authorization: AWS4-HMAC-SHA256 Credential=THEIRS/{scope}, \
         SignedHeaders=host;range, Signature=bad; X-Amz-Date: 20260101T000000Z; X-Amz-Content-Sha256: UNSIGNED-PAYLOAD; \
         X-Amz-Security-Token: theirs; Amz-Sdk-Invocation-Id: 1; Cookie: a=b; X-Mine: 1"
    );
    is_part(&sidecar.get(&signed).await, 1, 0, 9);
    is_part(
        &sidecar
            .get("GET /a/o?X-Amz-Credential=THEIRS&X-Amz-Signature=0; Range: bytes=9-9")
            .await,
        1,
        9,
        9,
    );
    for asked in server.counters().asked() {
        let heard = format!("{} {:?}", asked.uri, asked.headers);
        assert!(
            asked
                .field("authorization")
                .unwrap()
                .contains("Credential=kit-access-key/"),
            "{heard}"
        );
        assert!(!heard.contains("THEIRS") && !heard.contains("theirs"), "{heard}");
        assert!(
            asked.field("x-mine").is_none() && asked.field("cookie").is_none(),
            "{heard}"
        );
    }
}

#[tokio::test]
async fn a_signature_of_ours_that_is_refused_is_trouble_and_not_the_clients_fault() {
    let (store, options) = (Store::default(), S3Options::default());
    let address = {
        let server = S3Server::start_with(S3Options {
            store: store.clone(),
            ..options.clone()
        })
        .await
        .unwrap();
        server.put_pattern("bucket", "o", rev(1), 3 << 20);
        let sidecar = Sidecar::start(&s3_config(&server, "")).await;
        assert_eq!(sidecar.get("GET /a/o").await.status(), 200);
        sidecar.has_stored(3).await;
        let address = server.addr();
        server.stop().await;
        (address, sidecar)
    };
    let (address, sidecar) = address;
    let changed = S3Options {
        secret_key: "another".into(),
        store,
        address,
        ..options
    };
    let _server = S3Server::start_with(changed).await.unwrap();
    let answer = sidecar.get("GET /a/o; Range: bytes=0-9").await;
    assert_eq!((answer.status(), detail(&answer)), (206, "discovery-fallback"));
    let answer = sidecar.get("GET /a/none; Range: bytes=0-9").await;
    assert_eq!((answer.status(), detail(&answer)), (502, "own-credentials"));
}
