//! Whether the stores answer, asked by the program from time to time.

use std::time::Duration;

use keyward_domain::{SubjectId, SubjectKey, TenantId};
use tokio::time::timeout;

use crate::Engine;

/// Which stores answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoresUp {
    /// Subjects, profiles and the audit log.
    pub durable: bool,
    /// Sessions, ceremonies and limits.
    pub hot: bool,
}

impl Engine {
    /// Asks both stores for something small and tells the observer what came. Nobody of that name needs to exist.
    ///
    /// # Panics
    /// Never: the names are ids.
    pub async fn stores_up(&self, within: Duration) -> StoresUp {
        let who = SubjectKey {
            tenant: TenantId::parse("keyward").expect("an id"),
            subject: SubjectId::parse("readiness").expect("an id"),
        };
        let durable =
            async { self.durable.subject(&who).await.is_ok() && self.durable.read(0, 1).await.is_ok() };
        let hot = async { self.hot.ping().await.is_ok() };
        let (durable, hot) = tokio::join!(timeout(within, durable), timeout(within, hot));
        let up = StoresUp { durable: durable.unwrap_or(false), hot: hot.unwrap_or(false) };
        self.observer.store("durable", up.durable);
        self.observer.store("hot", up.hot);
        up
    }
}
