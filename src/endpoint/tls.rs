//! TLS: trusted authorities, the client's certificate, and the meaning of failed handshakes.

use std::{fmt, io, sync::Arc};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName, UnixTime,
        pem::{self, PemObject as _},
    },
};

use super::fault::{Fault, FaultKind};
use crate::{Config, ConfigError, config::Files};

/// Settings of connections to `https` endpoints.
#[derive(Clone)]
pub(super) struct Tls(Arc<ClientConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// Compares identity: a new one may hold other certificates.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Tls {
    /// Reads the system's certificates if no others are set. Blocks.
    pub(super) fn new(config: &Config, files: &Files) -> Result<Self, ConfigError> {
        let made = Self::make(config, files);
        made.map_err(|error| config.origin.named(error))
    }

    fn make(config: &Config, files: &Files) -> Result<Self, ConfigError> {
        let refused = |setting, allowed: String| ConfigError::new(setting, "set", allowed);
        // Independent of the process's default provider, which the program may have set.
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| refused("url", error.to_string()))?;
        let builder = match config.danger_accept_invalid_certs {
            true => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAny(provider))),
            false => builder.with_root_certificates(match &files.tls_ca {
                Some(pem) => custom_authorities(pem.expose())?,
                None => system_authorities()?,
            }),
        };
        let client = match (&files.tls_cert, &files.tls_key) {
            (Some(certificate), Some(key)) => {
                let chain = certificates("tls_cert", certificate.expose())?;
                let key = private_key(key.expose())?;
                let made = builder.with_client_auth_cert(chain, key);
                made.map_err(|error| refused("tls_key", format!("the key of tls_cert ({error})")))?
            }
            _ => builder.with_no_client_auth(),
        };
        Ok(Self(Arc::new(client)))
    }

    /// Opens TLS on a connection.
    pub(super) async fn connect<S>(
        &self,
        host: &str,
        stream: S,
    ) -> Result<tokio_rustls::client::TlsStream<S>, Fault>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        // Certificates have no trailing dot in names.
        let name = ServerName::try_from(host.trim_end_matches('.').to_owned());
        let name = name.map_err(|_| {
            let reason = format!("{host} is not a name that a certificate can have");
            Fault::new(FaultKind::Misconfigured, reason)
        })?;
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.0));
        let connected = connector.connect(name, stream).await;
        connected.map_err(|error| {
            fault(&error).unwrap_or_else(|| {
                let reason = format!("the TLS handshake was interrupted: {error}");
                Fault::new(FaultKind::NotConnected { is_refused: false }, reason)
            })
        })
    }
}

fn custom_authorities(pem: &str) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("tls_ca", pem)? {
        roots.add(certificate).map_err(|error| {
            ConfigError::new("tls_ca", "set", format!("CA certificates ({error})"))
        })?;
    }
    Ok(roots)
}

fn system_authorities() -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})"));
        return Err(ConfigError::new(
            "tls_ca",
            "not set",
            format!(
                "a file with CA certificates, as this system has none{}: install ca-certificates, or set it",
                why.unwrap_or_default()
            ),
        ));
    }
    Ok(roots)
}

fn certificates(
    setting: &'static str,
    pem: &str,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let refused = |why: String| {
        ConfigError::new(
            setting,
            "set",
            format!("a PEM file with certificates ({why})"),
        )
    };
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let certificates = read.map_err(|error| refused(why(&error).to_owned()))?;
    match certificates.is_empty() {
        true => Err(refused("there is no `BEGIN CERTIFICATE` in it".to_owned())),
        false => Ok(certificates),
    }
}

/// The error's own text repeats the file's content, which may be a key.
fn why(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no end: are line breaks missing?",
        pem::Error::IllegalSectionStart { .. } => {
            "the first line of a section is too long: are line breaks missing?"
        }
        pem::Error::Base64Decode(_) => "a section is not base64",
        _ => "it can't be read",
    }
}

fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, ConfigError> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| {
        let is_encrypted = pem.contains("ENCRYPTED");
        let why = match error {
            _ if is_encrypted => "it is encrypted".to_owned(),
            pem::Error::NoItemsFound => "there is no `BEGIN PRIVATE KEY` in it".to_owned(),
            error => why(&error).to_owned(),
        };
        let allowed = format!("a PEM file with a private key that is not encrypted ({why})");
        ConfigError::new("tls_key", "set", allowed)
    })
}

/// The fault that a TLS error means; `None` for other errors and temporary ones.
///
/// Also used while reading a response: in TLS 1.3, a server refuses a client's certificate only
/// after the handshake.
pub(super) fn fault(error: &io::Error) -> Option<Fault> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let reason = match error {
        rustls::Error::InvalidCertificate(reason) => invalid(reason),
        rustls::Error::AlertReceived(alert) => refused_with(*alert)?,
        rustls::Error::InvalidMessage(_) => {
            "the server does not use TLS: should its URL begin with http://?".to_owned()
        }
        rustls::Error::PeerIncompatible(why) => {
            format!("server and client share no TLS version or cipher: {why:?}")
        }
        rustls::Error::NoCertificatesPresented => "the server has no certificate".to_owned(),
        error => format!("TLS failed: {error}"),
    };
    Some(Fault::new(FaultKind::Misconfigured, reason))
}

fn invalid(reason: &CertificateError) -> String {
    // "invalid peer certificate: " and the reason.
    let text = rustls::Error::InvalidCertificate(reason.clone()).to_string();
    let text = text.split_once(": ").map_or(&*text, |(_, reason)| reason);
    let advice = match reason {
        CertificateError::UnknownIssuer => {
            return "the server's certificate is not trusted: it was issued by an unknown CA (set tls_ca \
                    to the file with the CA's certificate)"
                .to_owned();
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet (is this clock right?)"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another host"
        }
        CertificateError::Revoked => "the server's certificate was revoked",
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "the server's certificate is a CA certificate: the server needs one that is signed by that \
             CA"
        }
        _ => "the server's certificate can't be used",
    };
    format!("{advice}: {text}")
}

/// The meaning of a server's alert, if a person has to change something.
fn refused_with(alert: AlertDescription) -> Option<String> {
    use AlertDescription as A;
    let reason = match alert {
        A::CloseNotify | A::UserCanceled | A::InternalError => return None,
        A::CertificateRequired => {
            "the server requires a client certificate (set tls_cert and tls_key)"
        }
        // Sent in TLS 1.2 if the client has no certificate.
        A::HandshakeFailure => {
            "the server refuses the handshake: it may require a client certificate (tls_cert, tls_key), or share \
             no TLS version or cipher"
        }
        A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied => "the server refuses the client certificate (tls_cert)",
        A::UnrecognisedName => "the server has no certificate for this host",
        A::ProtocolVersion => "the server supports no TLS version from 1.2 on",
        _ => "the server refuses the connection",
    };
    Some(format!("{reason}: TLS alert {alert:?}"))
}

/// Accepts any certificate, for [`Config::danger_accept_invalid_certs`]; that the server has its
/// key is still checked.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
