//! What every adapter must do: one suite for durable stores, one for hot stores. Each check runs on a store of its own
//! that the adapter's test makes, says its name, and panics when the store does not keep what its port promises.

use std::future::Future;
use std::sync::Arc;

use keyward_domain::{DecisionId, SubjectId, SubjectKey, TenantId, Timestamp};
use uuid::Uuid;

mod audit;
mod credentials;
mod documents;
mod expiry;
mod hot;
mod keys;
mod policies;
mod samples;
mod subjects;
mod tree;

pub use hot::hot;
pub use keys::keys;

use crate::DurableStore;

/// Runs the checks of [`durable`](crate::durable) stores; `make` gives an empty store at each call.
///
/// # Panics
/// When the store does not keep what its port promises.
pub async fn durable<S: DurableStore + 'static>(make: impl AsyncFn() -> S) {
    subjects::all(&make).await;
    credentials::all(&make).await;
    documents::all(&make).await;
    samples::all(&make).await;
    policies::all(&make).await;
    audit::all(&make).await;
    tree::all(&make).await;
}

/// Runs named checks, each with a fresh store.
macro_rules! checks {
    ($make:expr; $($check:ident),+ $(,)?) => {$(
        println!(concat!("conformance: ", module_path!(), "::", stringify!($check)));
        $check(std::sync::Arc::new($make().await)).await;
    )+};
}
use checks;

/// How many tasks race in a check.
const RACERS: usize = 50;

/// Lets tasks race and returns what each came to.
async fn race<S, T, F>(store: &Arc<S>, racers: usize, task: impl Fn(usize, Arc<S>) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..racers).map(|n| tokio::spawn(task(n, Arc::clone(store)))).collect();
    let mut outcomes = Vec::with_capacity(racers);
    for task in tasks {
        outcomes.push(task.await.expect("the racing task panicked"));
    }
    outcomes
}

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).expect("a legal id")
}

fn who(tenant: &str, subject: &str) -> SubjectKey {
    SubjectKey { tenant: self::tenant(tenant), subject: SubjectId::parse(subject).expect("a legal id") }
}

/// The clinician whom most checks are about.
fn alice() -> SubjectKey {
    who("st-mary", "alice")
}

/// Subjects whose ids are legal and could be mistaken for one another, or for a pattern, by a careless adapter.
fn awkward() -> Vec<SubjectKey> {
    let longest = "x".repeat(128);
    [
        ("a:b", "c"),
        ("a", "b:c"),
        ("a%", "%"),
        ("a", "*"),
        ("a", "?"),
        ("a", "[x]"),
        ("a", r"\*"),
        ("a", "'; DROP TABLE subject; --"),
        ("a", "A"),
        ("A", "a"),
        ("a", "_"),
        ("a", "/../a"),
        ("a", longest.as_str()),
    ]
    .into_iter()
    .map(|(tenant, subject)| who(tenant, &subject.replace(' ', "_")))
    .collect()
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn decision(n: u128) -> DecisionId {
    DecisionId(Uuid::from_u128(n))
}
