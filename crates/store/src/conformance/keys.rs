//! What every provider of keys must do.

use keyward_domain::{Entropy, SubjectKey};
use keyward_seal::DataSecret;

use super::{alice, who};
use crate::{KeyError, KeyProvider};

/// A counter: data keys that differ, for these checks alone.
struct Counting(std::sync::atomic::AtomicU8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    }
}

/// Runs the checks of providers of keys; `make` gives a provider, with keys of its own at each call.
///
/// # Panics
/// When the provider does not keep what its port promises.
pub async fn keys<P: KeyProvider>(make: impl AsyncFn() -> P) {
    let entropy = Counting(1.into());
    let provider = make().await;
    let (first, second) = (DataSecret::generate(&entropy), DataSecret::generate(&entropy));
    let wrapped = wrap(&provider, &alice(), &first).await;
    let unwrapped = provider.unwrap(&alice(), &wrapped).await.expect("unwrapped");
    assert_eq!(unwrapped.expose(), first.expose(), "what was wrapped unwraps");
    assert!(!wrapped.windows(32).any(|w| w == first.expose()), "a wrapped form does not show the key");
    assert_ne!(wrap(&provider, &alice(), &first).await, wrapped, "no two wrapped forms are alike");

    let of_second = wrap(&provider, &who("st-mary", "bob"), &second).await;
    for other in [who("st-mary", "bob"), who("st-john", "alice"), who("st-maryalice", "x")] {
        assert_eq!(refused(&provider, &other, &wrapped).await, KeyError::Refused, "{other:?}");
    }
    assert_eq!(refused(&provider, &alice(), &of_second).await, KeyError::Refused);
    // Asked again after it was unwrapped for its own, in case that is remembered.
    assert!(provider.unwrap(&who("st-mary", "bob"), &of_second).await.is_ok());
    assert_eq!(refused(&provider, &alice(), &of_second).await, KeyError::Refused);

    let keys = provider.keys().await.expect("it tells its keys");
    assert_eq!(provider.key_of(&wrapped).as_ref(), Ok(&keys[0]), "the current key wraps");
    let last = wrapped.len() - 1;
    for at in [last, last / 2, 0] {
        let mut damaged = wrapped.clone();
        damaged[at] ^= 1;
        assert!(provider.unwrap(&alice(), &damaged).await.is_err(), "byte {at} was changed");
    }
    for odd in [&[][..], &wrapped[..1], &wrapped[..last], b"nothing that was ever wrapped by anyone"] {
        assert!(provider.unwrap(&alice(), odd).await.is_err());
    }
    assert!(provider.key_of(&[]).is_err() && provider.key_of(&[255; 40]).is_err());
    let elsewhere = make().await;
    let strange = refused(&elsewhere, &alice(), &wrapped).await;
    assert!(matches!(strange, KeyError::Refused | KeyError::Missing { .. }), "{strange:?}");
}

async fn wrap<P: KeyProvider>(provider: &P, who: &SubjectKey, secret: &DataSecret) -> Vec<u8> {
    provider.wrap(who, secret).await.expect("wrapped")
}

async fn refused<P: KeyProvider>(provider: &P, who: &SubjectKey, wrapped: &[u8]) -> KeyError {
    provider.unwrap(who, wrapped).await.expect_err("it must not unwrap")
}
