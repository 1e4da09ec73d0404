//! Whom pass-through trusts, where that is not whom the machine trusts.
//!
//! Owns: a tier's own CA certificates in the form that Pingora takes, which are then all that counts for that tier.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use pingora::protocols::tls::CaType;
use pingora::upstreams::peer::HttpPeer;
use pingora::utils::tls::{WrappedX509, parse_x509};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// CA certificates.
#[derive(Clone)]
pub struct Roots {
    certificates: Arc<CaType>,
    /// Connections are shared only among those who trust alike.
    group: u64,
}

impl Roots {
    /// The certificates of a PEM file; `None` if it holds none, or one that is malformed.
    pub fn new(pem: &[u8]) -> Option<Self> {
        let mut hasher = DefaultHasher::new();
        let mut certificates = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.ok()?;
            // Pingora's parser panics where this one tells.
            RootCertStore::empty().add(certificate.clone()).ok()?;
            certificate.as_ref().hash(&mut hasher);
            certificates.push(WrappedX509::new(certificate.to_vec(), parse_x509));
        }
        (!certificates.is_empty()).then(|| Self {
            certificates: certificates.into(),
            group: hasher.finish(),
        })
    }

    pub(super) fn trusted_by(&self, peer: &mut HttpPeer) {
        peer.options.ca = Some(Arc::clone(&self.certificates));
        peer.group_key = self.group;
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots")
            .field("certificates", &self.certificates.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_are_trusted() {
        let good = rcgen::generate_simple_self_signed(["h".to_owned()]).unwrap().cert.pem();
        assert!(Roots::new(good.as_bytes()).is_some());
        for bad in [
            "",
            "hello",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert!(Roots::new(bad.as_bytes()).is_none(), "{bad}");
            assert!(Roots::new(format!("{good}{bad}").as_bytes()).is_some() != bad.starts_with('-'));
        }
    }
}
