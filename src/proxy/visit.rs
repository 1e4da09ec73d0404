//! One connection from its first byte to its last, request by request.
//!
//! Owns: the wait between requests, and who answers each: the short way if the answer is at hand, else Pingora.
//! Never: cuts an answer. A stop ends only the wait for a next request.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use pingora::apps::HttpServerApp;
use pingora::protocols::Shutdown;
use pingora::protocols::http::ServerSession;
use pingora::proxy::HttpProxy;
use pingora::server::ShutdownWatch;

use super::conn::Conn;
use super::edge::Edge;
use super::hooks::Hooks;
use super::service::Service;

/// What serves a connection.
pub(super) struct Visit<S: Service> {
    pub(super) edge: Arc<Edge<S>>,
    pub(super) proxy: Arc<HttpProxy<Hooks<S>>>,
    /// True once no further request is wanted.
    pub(super) stopping: ShutdownWatch,
}

/// Pingora's own wait between requests, in seconds. It never waits, since it is only given requests that are there;
/// but without one it would close the connection after the answer.
const KEEP_ALIVE: u64 = 60;

impl<S: Service> Visit<S> {
    /// Serves it to its end.
    pub(super) async fn run(self, conn: Conn) {
        let mut stopping = self.stopping.clone();
        // Whether it was told to or the teller is gone makes no difference.
        let mut stop = pin!(async { drop(stopping.wait_for(|stopping| *stopping).await) });
        let mut conn = Box::new(conn);
        let mut last = None;
        loop {
            let head = tokio::select! {
                biased;
                head = poll_fn(|cx| conn.poll_head(cx)) => head,
                () = &mut stop => {
                    // The end of the last answer may still wait for the client to take it.
                    Shutdown::shutdown(&mut *conn).await;
                    return;
                }
            };
            if !matches!(head, Ok(true)) {
                return;
            }
            if !*self.stopping.borrow()
                && let Some(answered) = self.edge.answer_shortly(&mut conn, &mut last).await
            {
                match answered {
                    Ok(()) => continue,
                    Err(_) => return,
                }
            }
            match self.hand_over(conn).await {
                Some(next) => conn = next,
                None => return,
            }
        }
    }

    /// Has Pingora answer the request that runs. What it returns may carry another.
    async fn hand_over(&self, conn: Box<Conn>) -> Option<Box<Conn>> {
        let mut session = ServerSession::new_http1(conn);
        session.set_keepalive((!*self.stopping.borrow()).then_some(KEEP_ALIVE));
        let reusable = self.proxy.process_new_http(session, &self.stopping).await?;
        let (stream, _) = reusable.consume();
        stream.into_any().downcast().ok()
    }
}
