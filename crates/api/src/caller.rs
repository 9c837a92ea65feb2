//! Who is calling, and until when an answer is of use to them. The transport puts both into the extensions of every
//! request (`Arc<Caller>` and [`Deadline`]) before a service sees it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use keyward_domain::{CallerId, TenantId};

/// An authenticated calling service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its name in the settings.
    pub id: CallerId,
    /// The tenants that it may act for.
    pub tenants: Tenants,
    /// Whether it may open records of the audit log, of its tenants.
    pub audit: bool,
}

/// A set of tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenants {
    /// Every tenant.
    All,
    /// These and no other.
    Only(BTreeSet<TenantId>),
}

impl Caller {
    /// Whether this caller may act for a tenant.
    pub fn may_act_for(&self, tenant: &TenantId) -> bool {
        match &self.tenants {
            Tenants::All => true,
            Tenants::Only(tenants) => tenants.contains(tenant),
        }
    }
}

/// The moment by which an answer must have left: the caller's own deadline (`grpc-timeout`) less a margin for the way
/// back, or the server's longest, whichever is earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// On the monotonic clock.
    pub at: Instant,
    /// Whether the caller set one. If not, a service may choose one of its own that is shorter.
    pub set_by_caller: bool,
}

impl Deadline {
    /// What is left of it at a moment; zero when it has passed.
    pub fn remaining(self, now: Instant) -> Duration {
        self.at.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_confined_to_its_tenants() {
        let tenant = |name: &str| TenantId::parse(name).unwrap();
        let caller = |tenants| Caller { id: CallerId::parse("portal").unwrap(), tenants, audit: false };
        let confined = caller(Tenants::Only([tenant("st-mary")].into()));
        assert!(confined.may_act_for(&tenant("st-mary")));
        assert!(!confined.may_act_for(&tenant("st-mary-2")));
        assert!(caller(Tenants::All).may_act_for(&tenant("st-mary-2")));
    }
}
