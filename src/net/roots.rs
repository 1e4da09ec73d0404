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

/// The certificates that are trusted, for a client that looks up the machine's by itself; `None` if they are just these.
pub fn other_than_machines(ca_pem: Option<&[u8]>) -> Result<Option<Vec<CertificateDer<'static>>>, TlsFault> {
    let machines = machines();
    if ca_pem.is_none() && !machines.is_empty() {
        return Ok(None);
    }
    trusted(machines, ca_pem).map(Some)
}

fn roots(ca_pem: Option<&[u8]>) -> Result<RootCertStore, TlsFault> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted(machines(), ca_pem)?);
    Ok(roots)
}

/// All of them can be used as they are.
fn trusted(
    machines: Vec<CertificateDer<'static>>,
    ca_pem: Option<&[u8]>,
) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let mut trusted = match machines.is_empty() {
        true => webpki_root_certs::TLS_SERVER_ROOT_CERTS.to_vec(),
        false => machines,
    };
    if let Some(pem) = ca_pem {
        trusted.extend(own(pem)?);
    }
    Ok(trusted)
}

/// A certificate of the machine that does not parse, or a missing store, is no reason not to start.
fn machines() -> Vec<CertificateDer<'static>> {
    let mut certificates = rustls_native_certs::load_native_certs().certs;
    certificates.retain(|certificate| usable(certificate).is_ok());
    certificates
}

fn own(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let fault = |reason: &dyn ToString| TlsFault::Ca(reason.to_string());
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| fault(&error))?;
        usable(&certificate).map_err(|error| fault(&error))?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(fault(&"no certificate"));
    }
    Ok(certificates)
}

fn usable(certificate: &CertificateDer<'static>) -> Result<(), rustls::Error> {
    RootCertStore::empty().add(certificate.clone())
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
        assert!(!trusted(Vec::new(), None).unwrap().is_empty());
    }

    #[test]
    fn a_ca_file_takes_nobodys_place() {
        let made = || rcgen::generate_simple_self_signed(["h".to_owned()]).unwrap().cert;
        let (machines, own) = (vec![made().der().clone()], made());
        let both = vec![machines[0].clone(), own.der().clone()];
        let pem = own.pem();
        assert_eq!(trusted(machines, Some(pem.as_bytes())).unwrap(), both);
        let mozillas = trusted(Vec::new(), Some(pem.as_bytes())).unwrap();
        assert!(mozillas.len() > 50 && mozillas.contains(own.der()));
        assert!(roots(Some(pem.as_bytes())).unwrap().len() > roots(None).unwrap().len());
    }
}
