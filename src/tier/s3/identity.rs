//! Whose name the tier signs with: given keys, or the SDK's usual chain (environment, profiles, web identity, container,
//! instance metadata).
//!
//! Owns: the bounds on that chain. Never: fails at the start; without credentials every question fails by itself.

use std::fmt;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, future};
use aws_sdk_s3::config::{Credentials, ProvideCredentials, Region, SharedCredentialsProvider};
use aws_sdk_s3::error::DisplayErrorContext;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use super::wire::Wire;

/// The most that the chain may take for one question. Its own bound is 22 s, all of which it spends on a machine that
/// has no metadata service.
pub(super) const LOAD: Duration = Duration::from_secs(5);

/// For so long nobody asks again after the chain has failed. The SDK keeps successes only, and waiters would fail one
/// after another.
const PAUSE: Duration = Duration::from_secs(5);

/// The region of those who have none. Servers that are not AWS mostly take any.
const NO_REGION: Region = Region::from_static("us-east-1");

/// A key pair, for tests and quick starts.
#[derive(Clone)]
pub struct StaticKeys {
    /// The id of the access key.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

/// The usual chain, with a memory for its failures.
struct Chain<P> {
    inner: P,
    within: Duration,
    failed: Mutex<Option<Instant>>,
}

/// The region that requests are signed for: the configured one, or what environment or profile say, or, for AWS's own
/// endpoints, the machine's.
pub(super) async fn region(configured: Option<String>, wire: &Wire, is_aws: bool) -> Region {
    if let Some(region) = configured {
        return Region::new(region);
    }
    let mut chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new());
    if is_aws {
        chain = chain.or_else(ImdsRegionProvider::builder().configure(&sources(wire)).build());
    }
    let found = timeout(LOAD, chain.region()).await;
    found.ok().flatten().unwrap_or(NO_REGION)
}

/// The credentials to sign with. Nothing is looked up yet.
pub(super) async fn credentials(
    keys: Option<StaticKeys>,
    region: &Region,
    wire: &Wire,
    within: Duration,
) -> SharedCredentialsProvider {
    if let Some(keys) = keys {
        return SharedCredentialsProvider::new(Credentials::new(keys.id, keys.secret, None, None, "configured"));
    }
    let chain = DefaultCredentialsChain::builder()
        .configure(sources(wire))
        .region(region.clone());
    SharedCredentialsProvider::new(Chain::new(chain.build().await, within))
}

fn sources(wire: &Wire) -> ProviderConfig {
    ProviderConfig::without_region().with_http_client(wire.clone())
}

impl<P: ProvideCredentials> Chain<P> {
    fn new(inner: P, within: Duration) -> Self {
        Self {
            inner,
            within,
            failed: Mutex::new(None),
        }
    }

    async fn load(&self) -> provider::Result {
        let pausing = self.failed.lock().is_some_and(|failed| failed.elapsed() < PAUSE);
        if pausing {
            return Err(CredentialsError::not_loaded("there were none a moment ago"));
        }
        let loaded = timeout(self.within, self.inner.provide_credentials()).await;
        let loaded = loaded.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(self.within)));
        // Told once a pause; each question that fails for it is only counted.
        if let Err(error) = &loaded {
            tracing::warn!(reason = %DisplayErrorContext(error), "no credentials for S3");
        }
        *self.failed.lock() = loaded.is_err().then(Instant::now);
        loaded
    }
}

impl<P: ProvideCredentials> ProvideCredentials for Chain<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}

impl<P> fmt::Debug for Chain<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chain")
    }
}

impl fmt::Debug for StaticKeys {
    /// Not even the id: logs are read by many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticKeys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    /// Hangs as often as it is told to, as a machine without metadata does.
    #[derive(Debug)]
    struct Hanging(AtomicUsize);

    impl ProvideCredentials for Hanging {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let hangs = self
                .0
                .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1))
                .is_ok();
            future::ProvideCredentials::new(async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok(Credentials::new("id", "secret", None, None, "test"))
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_chain_that_hangs_costs_one_question_its_time_and_not_all() {
        let chain = Chain::new(Hanging(AtomicUsize::new(1)), LOAD);
        let began = Instant::now();
        assert!(chain.provide_credentials().await.is_err());
        assert_eq!(began.elapsed(), LOAD);
        for _ in 0..100 {
            assert!(chain.provide_credentials().await.is_err());
        }
        assert_eq!(began.elapsed(), LOAD);
        tokio::time::advance(PAUSE).await;
        assert!(chain.provide_credentials().await.is_ok());
    }
}
