//! S3 as an upstream, read with Pinstripe's own identity.
//!
//! Owns: the key that S3 knows an object by, how a condition is put in S3's terms, and what its errors mean. The only
//! place that names the AWS SDK, which resolves endpoints and credentials and signs; see `wire` for the rest.
//! Never: forwards a client's fields, retries, or judges an answer by an error code where its status says enough.

mod ask;
mod identity;
mod key;
mod refusal;
mod wire;

use std::fmt;
use std::time::Duration;

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, IdentityCache, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use futures_util::future::BoxFuture;
use http::Uri;

use self::wire::Wire;
use super::upstream::{Answer, Upstream};
use crate::clock::Clock;
use crate::net::{Client, ClientConfig, Guard, TlsFault};
use crate::object::Question;

pub use identity::StaticKeys;

/// What makes an S3 tier.
#[derive(Debug)]
pub struct S3TierConfig {
    /// The bucket.
    pub bucket: String,
    /// Put before every key.
    pub prefix: String,
    /// Without it, what the environment, a profile or the machine says.
    pub region: Option<String>,
    /// A server's URL; AWS without it.
    pub endpoint: Option<String>,
    /// The bucket in the path and not in the host.
    pub path_style: bool,
    /// Without them, the SDK's usual chain.
    pub credentials: Option<StaticKeys>,
    /// Timeouts and limits.
    pub client: ClientConfig,
    /// What this process adds to Via (RFC 9110 7.6.3).
    pub via: http::HeaderValue,
    /// When answers are received.
    pub clock: Clock,
}

/// Why an S3 tier cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum S3TierFault {
    /// The endpoint is no URL of a server.
    #[error("the endpoint must be http:// or https:// with a host and at most a path")]
    Endpoint,
    /// The bucket has no name.
    #[error("the bucket has no name")]
    Bucket,
    /// The CA file cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsFault),
}

/// A bucket, or what is below a prefix in it.
pub struct S3Tier {
    bucket: String,
    prefix: String,
    sdk: aws_sdk_s3::Client,
    /// Bounds how long an error's body is read ahead.
    read_ahead: Duration,
    clock: Clock,
}

/// Requests in flight on the SDK's errands; it makes one at a time of each kind.
const ERRANDS: usize = 8;

impl S3Tier {
    /// A tier. Credentials are looked up when they are first needed; without a region this may ask the machine for
    /// one, for a bounded time. An endpoint that does not answer is no reason to fail here.
    pub async fn new(config: S3TierConfig) -> Result<Self, S3TierFault> {
        if config.bucket.is_empty() {
            return Err(S3TierFault::Bucket);
        }
        if config
            .endpoint
            .as_deref()
            .is_some_and(|endpoint| !is_endpoint(endpoint))
        {
            return Err(S3TierFault::Endpoint);
        }
        let first_byte = config.client.first_byte;
        let side = ClientConfig {
            connections: ERRANDS,
            ..config.client.clone()
        };
        // The operator named the endpoint, and the SDK's own addresses are link-local.
        let wire = Wire::new(
            Client::new(config.client, Guard::Any)?,
            Client::new(side, Guard::Any)?,
            config.via,
        );
        let region = identity::region(config.region, &wire, config.endpoint.is_none()).await;
        let within = first_byte.min(identity::LOAD);
        let credentials = identity::credentials(config.credentials, &region, &wire, within).await;
        let mut sdk = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region)
            .credentials_provider(credentials)
            .identity_cache(IdentityCache::lazy().load_timeout(within).build())
            .force_path_style(config.path_style)
            .http_client(wire)
            // Retries are decisions, and timeouts are the client's: of connecting, the head, and every chunk.
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        sdk.set_endpoint_url(config.endpoint);
        Ok(Self {
            bucket: config.bucket,
            prefix: config.prefix,
            sdk: aws_sdk_s3::Client::from_conf(sdk.build()),
            read_ahead: first_byte,
            clock: config.clock,
        })
    }
}

fn is_endpoint(endpoint: &str) -> bool {
    endpoint.parse::<Uri>().is_ok_and(|uri| {
        let authority = uri
            .authority()
            .is_some_and(|authority| !authority.as_str().contains('@'));
        matches!(uri.scheme_str(), Some("http" | "https")) && authority && uri.query().is_none()
    })
}

impl Upstream for S3Tier {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Answer> {
        Box::pin(self.exchange(question))
    }
}

impl fmt::Debug for S3Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Tier")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
