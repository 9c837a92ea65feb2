//! Two providers, while data keys move from one to the other.

use std::sync::Arc;

use async_trait::async_trait;
use keyward_domain::SubjectKey;
use keyward_seal::DataSecret;
use keyward_store::{KeyError, KeyProvider, WrappingKeyId};

/// Wraps with one provider and unwraps with whichever wrapped: what the other wrapped is old, and `keyward keys rewrap` moves
/// it. Their forms differ in the first byte.
pub struct Moving {
    to: Arc<dyn KeyProvider>,
    from: Arc<dyn KeyProvider>,
}

impl Moving {
    /// From one provider to another.
    pub const fn new(from: Arc<dyn KeyProvider>, to: Arc<dyn KeyProvider>) -> Self {
        Self { to, from }
    }

    fn whose(&self, wrapped: &[u8]) -> &dyn KeyProvider {
        if self.to.key_of(wrapped).is_ok() { &*self.to } else { &*self.from }
    }
}

#[async_trait]
impl KeyProvider for Moving {
    async fn wrap(&self, who: &SubjectKey, secret: &DataSecret) -> Result<Vec<u8>, KeyError> {
        self.to.wrap(who, secret).await
    }

    async fn unwrap(&self, who: &SubjectKey, wrapped: &[u8]) -> Result<DataSecret, KeyError> {
        self.whose(wrapped).unwrap(who, wrapped).await
    }

    fn key_of(&self, wrapped: &[u8]) -> Result<WrappingKeyId, KeyError> {
        self.whose(wrapped).key_of(wrapped)
    }

    /// Those of the provider that is left may be out of reach; then they are not told.
    async fn keys(&self) -> Result<Vec<WrappingKeyId>, KeyError> {
        let mut keys = self.to.keys().await?;
        keys.extend(self.from.keys().await.unwrap_or_default());
        Ok(keys)
    }
}
