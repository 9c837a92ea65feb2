//! Who may call: by the SHA-256 of a bearer token, or by a name in a client certificate.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{HeaderMap, header::AUTHORIZATION};
use keyward_api::caller::{Caller, Tenants};
use keyward_domain::{CallerId, IdError, TenantId};
use subtle::ConstantTimeEq;

use super::listen::Peer;
use crate::settings::{CallerSettings, Limits, Settings};

/// The name of whoever calls while no callers are set.
const LOCAL: &str = "local";

/// Why the callers cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum CallersError {
    /// A token file cannot be read.
    #[error("{}: cannot be read: {reason}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::ErrorKind,
    },
    /// A token file has something else than hashes.
    #[error("{}: must hold SHA-256 hashes of 64 hexadecimal digits, one a line, and at least one", .0.display())]
    NotHashes(PathBuf),
    /// A name that is no identifier.
    #[error("callers: a name {0}")]
    Name(#[from] IdError),
}

/// Everyone who may call.
#[derive(Default)]
pub struct Callers {
    tokens: Vec<([u8; 32], Arc<Known>)>,
    names: HashMap<String, Arc<Known>>,
    anonymous: Option<Arc<Known>>,
}

/// A known caller, with the limit on its calls.
pub struct Known {
    /// Who it is.
    pub caller: Arc<Caller>,
    limiter: Option<DefaultDirectRateLimiter>,
}

impl Callers {
    /// Reads the callers' token files.
    ///
    /// # Errors
    /// [`CallersError`] naming the file.
    pub fn load(settings: &Settings) -> Result<Self, CallersError> {
        let mut callers = Self::default();
        if settings.callers.is_empty() {
            let caller = Caller { id: CallerId::parse(LOCAL)?, tenants: Tenants::All, audit: true };
            callers.anonymous = Some(Known::new(caller, &settings.limits));
        }
        for from in &settings.callers {
            let known = Known::new(caller(from)?, &settings.limits);
            if let Some(path) = &from.token_sha256_file {
                callers.tokens.extend(token_hashes(path)?.into_iter().map(|hash| (hash, Arc::clone(&known))));
            }
            if let Some(name) = &from.certificate_san {
                callers.names.insert(name.clone(), known);
            }
        }
        Ok(callers)
    }

    /// Whether anyone who can connect may call.
    pub fn open(&self) -> bool {
        self.anonymous.is_some()
    }

    /// Who makes a call. A token counts before a certificate, and a token that is unknown is not made good by one.
    pub fn identify(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Option<&Arc<Known>> {
        if self.anonymous.is_some() {
            return self.anonymous.as_ref();
        }
        if let Some(header) = headers.get(AUTHORIZATION) {
            return self.by_token(bearer(header.as_bytes())?);
        }
        peer?.names.iter().find_map(|name| self.names.get(name))
    }

    /// Compares with every hash in constant time, so that the time tells nothing of how near a guess came.
    fn by_token(&self, token: &[u8]) -> Option<&Arc<Known>> {
        let presented = digest(&SHA256, token);
        let mut found = None;
        for (hash, known) in &self.tokens {
            if bool::from(presented.as_ref().ct_eq(hash)) {
                found = Some(known);
            }
        }
        found
    }
}

impl Known {
    fn new(caller: Caller, limits: &Limits) -> Arc<Self> {
        let quota = NonZeroU32::new(limits.caller_calls_per_second).zip(NonZeroU32::new(limits.caller_burst));
        let limiter =
            quota.map(|(rate, burst)| RateLimiter::direct(Quota::per_second(rate).allow_burst(burst)));
        Arc::new(Self { caller: Arc::new(caller), limiter })
    }

    /// Counts a call. Beyond the limit, says how long to wait.
    pub fn count(&self) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        limiter.check().map_err(|denied| denied.wait_time_from(DefaultClock::default().now()))
    }
}

fn caller(from: &CallerSettings) -> Result<Caller, IdError> {
    let all = from.tenants.iter().any(|t| t == "*");
    let named = || from.tenants.iter().map(|t| TenantId::parse(t.as_str())).collect::<Result<_, _>>();
    let tenants = if all { Tenants::All } else { Tenants::Only(named()?) };
    Ok(Caller { id: CallerId::parse(from.id.as_str())?, tenants, audit: from.audit })
}

/// The scheme is case-insensitive (RFC 9110 §11.1).
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

/// Reads the hashes of a token file. Empty lines, and whatever follows a hash on its line (as `sha256sum` prints), are
/// skipped.
pub fn token_hashes(path: &Path) -> Result<Vec<[u8; 32]>, CallersError> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| CallersError::Read { path: path.to_owned(), reason: e.kind() })?;
    let words = text.lines().filter_map(|line| line.split_whitespace().next());
    let hashes: Option<Vec<_>> = words.map(hex32).collect();
    hashes.filter(|h| !h.is_empty()).ok_or_else(|| CallersError::NotHashes(path.to_owned()))
}

fn hex32(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn hex(token: &str) -> String {
        digest(&SHA256, token.as_bytes()).as_ref().iter().fold(String::new(), |mut out, b| {
            let _ = write!(out, "{b:02x}");
            out
        })
    }

    fn callers(file: &str, limits: Limits) -> Result<Callers, CallersError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, file).unwrap();
        let mut settings = Settings::defaults();
        settings.limits = limits;
        settings.callers.push(CallerSettings {
            id: "portal".to_owned(),
            tenants: vec!["st-mary".to_owned()],
            token_sha256_file: Some(path),
            certificate_san: Some("portal.example.org".to_owned()),
            audit: false,
        });
        Callers::load(&settings)
    }

    fn name<'a>(
        callers: &'a Callers,
        authorization: Option<&str>,
        certificate: Option<&str>,
    ) -> Option<&'a str> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value.parse().unwrap());
        }
        let names: Arc<[String]> = certificate.into_iter().map(str::to_owned).collect();
        let peer = Peer { address: "127.0.0.1:1".parse().unwrap(), names };
        callers.identify(&headers, Some(&peer)).map(|known| known.caller.id.as_str())
    }

    #[test]
    fn a_caller_is_known_by_any_of_its_tokens_or_its_certificate() {
        let file = format!("{}  -\n\n{}\n", hex("old"), hex("new"));
        let callers = callers(&file, Settings::defaults().limits).unwrap();
        for known in ["Bearer old", "bearer new"] {
            assert_eq!(name(&callers, Some(known), None), Some("portal"), "{known}");
        }
        assert_eq!(name(&callers, None, Some("portal.example.org")), Some("portal"));
        for unknown in ["Bearer older", "Bearer ", "Bearer", "Basic old", "", "Bearer  old"] {
            assert_eq!(name(&callers, Some(unknown), None), None, "{unknown}");
        }
        assert_eq!(name(&callers, None, Some("other.example.org")), None);
        assert_eq!(name(&callers, Some("Bearer wrong"), Some("portal.example.org")), None);
        assert_eq!(name(&callers, None, None), None);
    }

    #[test]
    fn without_callers_whoever_connects_is_the_local_caller() {
        let callers = Callers::load(&Settings::defaults()).unwrap();
        assert!(callers.open());
        assert_eq!(name(&callers, Some("Bearer anything"), None), Some(LOCAL));
    }

    #[test]
    fn a_file_that_holds_the_token_itself_is_refused() {
        for bad in ["", "secret-token\n", &hex("a")[1..], &format!("{}\nsecret", hex("a"))] {
            let error = callers(bad, Settings::defaults().limits).err().expect("must be refused").to_string();
            assert!(error.contains("SHA-256") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_burst_is_taken_and_then_a_wait_is_named() {
        let limits = Limits { caller_calls_per_second: 1, caller_burst: 2, ..Settings::defaults().limits };
        let callers = callers(&hex("t"), limits).unwrap();
        let known = &callers.tokens[0].1;
        assert!(known.count().is_ok() && known.count().is_ok());
        let wait = known.count().expect_err("the third is over the burst");
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
    }
}
