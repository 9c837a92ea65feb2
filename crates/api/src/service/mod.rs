//! The services: each call checks who asks, converts, has the engine answer, and converts back. No rule lives here.

mod audit;
mod call;
mod decision;
mod passkey;
mod profile;

use std::sync::Arc;
use std::time::Duration;

use keyward_domain::Clock;
use keyward_engine::Engine;
use tonic::service::Routes;
use tonic_reflection::server::Builder as Reflection;

pub use audit::AuditApi;
pub use decision::DecisionApi;
pub use passkey::PasskeyApi;
pub use profile::ProfileApi;

use crate::v1::DESCRIPTORS;
use crate::v1::audit_service_server::AuditServiceServer;
use crate::v1::decision_service_server::DecisionServiceServer;
use crate::v1::passkey_service_server::PasskeyServiceServer;
use crate::v1::profile_service_server::ProfileServiceServer;

/// What the largest import that the contract allows takes, in bytes: 200 samples of 1024 key presses.
const MAX_IMPORT_BYTES: usize = 4 * 1024 * 1024;

/// Limits of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiSettings {
    /// The longest request message, in bytes. ProfileService takes 4 MiB at least, for imports.
    pub max_message_bytes: usize,
    /// The time for an assessment when the caller sets no deadline.
    pub default_deadline: Duration,
}

impl Default for ApiSettings {
    /// 512 KiB, twice what the largest telemetry takes; and a second.
    fn default() -> Self {
        Self { max_message_bytes: 512 * 1024, default_deadline: Duration::from_secs(1) }
    }
}

/// What the services share.
#[derive(Clone)]
struct Shared {
    engine: Arc<Engine>,
    clock: Arc<dyn Clock>,
    settings: ApiSettings,
}

/// The four services and reflection (v1, and v1alpha for older tools).
///
/// The transport must put an `Arc<Caller>` and a [`Deadline`](crate::caller::Deadline) into the extensions of every
/// request; without a caller, every call is refused. It also adds gRPC-Web, spans and the health service.
#[expect(
    clippy::missing_panics_doc,
    reason = "the descriptors are compiled in; a test builds reflection from them"
)]
pub fn routes(engine: &Arc<Engine>, clock: &Arc<dyn Clock>, settings: ApiSettings) -> Routes {
    let shared = Shared { engine: Arc::clone(engine), clock: Arc::clone(clock), settings };
    let bytes = settings.max_message_bytes;
    let decisions = DecisionServiceServer::new(DecisionApi(shared.clone())).max_decoding_message_size(bytes);
    let passkeys = PasskeyServiceServer::new(PasskeyApi(shared.clone())).max_decoding_message_size(bytes);
    let audit = AuditServiceServer::new(AuditApi(shared.clone())).max_decoding_message_size(bytes);
    let profiles = ProfileServiceServer::new(ProfileApi(shared));
    let profiles = profiles.max_decoding_message_size(bytes.max(MAX_IMPORT_BYTES));
    let v1 = reflection().build_v1().expect("the descriptors were compiled with this crate");
    let v1alpha = reflection().build_v1alpha().expect("the descriptors were compiled with this crate");
    let mut routes = Routes::builder();
    routes
        .add_service(decisions)
        .add_service(passkeys)
        .add_service(profiles)
        .add_service(audit)
        .add_service(v1)
        .add_service(v1alpha);
    routes.routes()
}

fn reflection() -> Reflection<'static> {
    Reflection::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reflection_takes_the_descriptors() {
        assert!(reflection().build_v1().is_ok() && reflection().build_v1alpha().is_ok());
    }
}
