//! The end of the process: nobody is let in, who is inside may finish, and then it is gone.

use pinstripe_kit::gate::Gate;
use pinstripe_kit::origin::{Act, Origin, Resource, Rule};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::{End, Head, Wire};
use tokio::net::TcpStream;

use crate::process::Process;
use crate::support::{get, head, http_config};

const ONE: Pattern = Pattern::new(5, 1);
const SIZE: u64 = 1 << 20;

/// A download whose origin stands still in the middle, and a kept connection without a request.
async fn busy(origin: &Origin, process: &Process, gate: &Gate) -> (Wire, Head, Wire) {
    origin.put("/x", Resource::pattern(ONE, SIZE));
    let mut idle = Wire::connect(process.address).await.unwrap();
    let head_of_it = head(process.address, "HEAD /x");
    assert_eq!(idle.exchange(head_of_it).await.unwrap().status(), 200);
    let stall = Act::Stall {
        at: SIZE / 2,
        gate: gate.clone(),
    };
    origin.script(Rule::on("/x").method("GET").act(stall));
    let mut download = Wire::connect(process.address).await.unwrap();
    download.send(head(process.address, "GET /x")).await.unwrap();
    let head = download.head().await.unwrap();
    assert_eq!(head.status, 200);
    gate.waiting(1).await;
    (download, head, idle)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_inside_may_finish() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin::start().await.unwrap();
        let process = Process::start(folder.path(), &http_config(&origin.url(), "")).await;
        let gate = Gate::closed();
        let (mut download, head, mut idle) = busy(&origin, &process, &gate).await;
        process.signal(signal).await;
        assert!(idle.is_closed().await);
        assert!(TcpStream::connect(process.address).await.is_err());
        gate.open();
        let (body, end) = download.body(&head, false).await.unwrap();
        assert_eq!(end, End::Complete);
        ONE.verify(0, &body).unwrap();
        let (status, log) = process.ended().await;
        assert_eq!(status.code(), Some(0), "{log:#?}");
    }
}

/// Who sends clients here has to know before the last of them is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_sent_here_while_those_inside_finish() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await.unwrap();
    let process = Process::start(folder.path(), &http_config(&origin.url(), "")).await;
    let gate = Gate::closed();
    let (mut download, head, mut idle) = busy(&origin, &process, &gate).await;
    assert_eq!(get(process.admin, "GET /readyz").await.status(), 200);
    process.signal("TERM").await;
    assert!(idle.is_closed().await);
    let ready = get(process.admin, "GET /readyz").await;
    assert_eq!((ready.status(), &*ready.body), (503, &b"not ready: stopping\n"[..]));
    assert_eq!(get(process.admin, "GET /healthz").await.status(), 200);
    gate.open();
    assert_eq!(download.body(&head, false).await.unwrap().1, End::Complete);
    let (status, log) = process.ended().await;
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn but_not_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await.unwrap();
    let config = http_config(&origin.url(), "") + "shutdown: 200ms\n";
    let process = Process::start(folder.path(), &config).await;
    let gate = Gate::closed();
    let (mut download, head, _idle) = busy(&origin, &process, &gate).await;
    process.signal("TERM").await;
    let (body, end) = download.body(&head, false).await.unwrap();
    assert_eq!(end, End::Cut);
    ONE.verify(0, &body).unwrap();
    let (status, log) = process.ended().await;
    assert_eq!(status.code(), Some(0), "{log:#?}");
}
