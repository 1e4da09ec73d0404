//! Whom pass-through trusts, where that is not whom the machine trusts.
//!
//! Owns: CA certificates in the form that Pingora takes. They are then all that counts for a peer: Pingora does not add
//! the machine's.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use pingora::protocols::tls::CaType;
use pingora::upstreams::peer::HttpPeer;
use pingora::utils::tls::WrappedX509;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// CA certificates.
#[derive(Clone)]
pub struct Roots {
    certificates: Arc<CaType>,
    /// Connections are shared only among those who trust alike.
    group: u64,
}

impl Roots {
    /// These, without what Pingora cannot hold. Of none, nobody is trusted.
    pub fn new(trusted: &[CertificateDer<'_>]) -> Self {
        let mut hasher = DefaultHasher::new();
        trusted.hash(&mut hasher);
        Self {
            certificates: trusted.iter().filter_map(|certificate| wrapped(certificate)).collect(),
            group: hasher.finish(),
        }
    }

    pub(super) fn trusted_by(&self, peer: &mut HttpPeer) {
        peer.options.ca = Some(Arc::clone(&self.certificates));
        peer.group_key = self.group;
    }
}

/// Pingora wants to have parsed all of a certificate, although TLS needs little of it, and panics where it cannot: a
/// certificate of the machine may be odd.
fn wrapped(certificate: &[u8]) -> Option<WrappedX509> {
    let parsed = WrappedX509::try_new(certificate.to_vec(), |der| {
        X509Certificate::from_der(der).map(|(_, certificate)| certificate)
    });
    parsed
        .inspect_err(|error| tracing::warn!(%error, "a CA certificate is not trusted for what is passed on"))
        .ok()
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
    fn what_is_no_certificate_is_left_out() {
        let good = rcgen::generate_simple_self_signed(["h".to_owned()]).unwrap().cert;
        let bad = CertificateDer::from(&b"hello"[..]);
        let roots = Roots::new(&[bad.clone(), good.der().clone()]);
        assert_eq!(roots.certificates.len(), 1);
        assert_eq!(Roots::new(&[bad]).certificates.len(), 0);
    }

    #[test]
    fn connections_are_shared_among_those_who_trust_alike() {
        let made = || {
            let made = rcgen::generate_simple_self_signed(["h".to_owned()]).unwrap();
            made.cert.der().clone()
        };
        let (one, other) = (made(), made());
        let group = |trusted: &[CertificateDer<'_>]| Roots::new(trusted).group;
        assert_eq!(group(std::slice::from_ref(&one)), group(std::slice::from_ref(&one)));
        assert_ne!(group(std::slice::from_ref(&one)), group(&[one, other]));
    }
}
