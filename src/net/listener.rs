//! For tests: a listener that answers with whatever bytes a script says, to the letter, lies included.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// One act of a script. After the last the connection waits for its next request.
pub(crate) enum Step {
    Send(Vec<u8>),
    /// Says nothing more until the peer goes away.
    Hang,
    Close,
}

/// Serves until it is dropped.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Heard {
    heads: Vec<String>,
    connections: usize,
}

/// A script that only sends.
pub(crate) fn say(bytes: &str) -> Vec<Step> {
    vec![Step::Send(bytes.as_bytes().to_vec())]
}

impl Listener {
    /// Answers each request head with the steps that the script makes of it.
    pub(crate) async fn start(script: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::start_with(script, None).await
    }

    pub(crate) async fn start_with(
        script: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Heard>>::default();
        let (script, heard_too) = (Arc::new(script), Arc::clone(&heard));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                heard_too.lock().connections += 1;
                let (script, heard, tls) = (Arc::clone(&script), Arc::clone(&heard_too), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, &*script, &heard).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &*script, &heard).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            heard,
            _tasks: tasks,
        }
    }

    /// The request heads so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heard.lock().heads.clone()
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.heard.lock().connections
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    script: &(impl Fn(&str) -> Vec<Step> + ?Sized),
    heard: &Mutex<Heard>,
) {
    while let Some(head) = read_head(&mut stream).await {
        let steps = script(&head);
        heard.lock().heads.push(head);
        for step in steps {
            match step {
                Step::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                        return;
                    }
                }
                Step::Hang => {
                    let _ = stream.read(&mut [0; 1]).await;
                    return;
                }
                Step::Close => {
                    let _ = stream.shutdown().await;
                    return;
                }
            }
        }
    }
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
