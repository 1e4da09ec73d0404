//! Whom TLS trusts: the machine's own roots, Mozilla's where it has none, and those of a tier's `ca_file`.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Why a TLS client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// The bytes of `ca_file` are not PEM, hold no certificate, or hold one that is malformed.
    #[error("the CA file holds no usable certificate: {0}")]
    Ca(String),
    /// The cryptography does not support the protocol versions.
    #[error(transparent)]
    Provider(#[from] rustls::Error),
}

/// A client configuration for HTTP/1.1. The provider is named and not the process's default, which nobody need set.
pub(super) fn tls_config(ca_pem: Option<&[u8]>) -> Result<rustls::ClientConfig, TlsFault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(ca_pem)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(ca_pem: Option<&[u8]>) -> Result<RootCertStore, TlsFault> {
    let mut roots = RootCertStore::empty();
    // A certificate of the machine that does not parse, or a missing store, is no reason not to start.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    if let Some(pem) = ca_pem {
        add(&mut roots, pem)?;
    }
    Ok(roots)
}

fn add(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), TlsFault> {
    let fault = |reason: &dyn ToString| TlsFault::Ca(reason.to_string());
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| fault(&error))?;
        roots.add(certificate).map_err(|error| fault(&error))?;
    }
    if roots.len() == before {
        return Err(fault(&"no certificate"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_without_certificates_is_a_fault() {
        for pem in [
            "",
            "hello",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert!(
                matches!(tls_config(Some(pem.as_bytes())), Err(TlsFault::Ca(_))),
                "{pem}"
            );
        }
    }

    #[test]
    fn there_are_roots_on_every_machine() {
        assert!(!roots(None).unwrap().is_empty());
    }
}
