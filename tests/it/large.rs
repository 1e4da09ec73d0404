//! A sidecar before an origin with one large object, for what is fetched ahead of its readers.

use pinstripe_kit::origin::{Origin, Resource};
use pinstripe_kit::pattern::Pattern;

use crate::support::{Sidecar, http_config};

pub(crate) struct Stage {
    pub(crate) origin: Origin,
    pub(crate) sidecar: Sidecar,
}

impl Stage {
    /// With `/x`, and more terms of the route.
    pub(crate) async fn start(object: Pattern, size: u64, route: &str) -> Self {
        let origin = Origin::start().await.unwrap();
        origin.put("/x", Resource::pattern(object, size));
        // A disk that keeps up, however busy the machine is.
        let config = http_config(&origin.url(), route) + "limits: { fills: 256MiB }\n";
        let sidecar = Sidecar::start(&config).await;
        Self { origin, sidecar }
    }
}
