//! What a cached profile takes in the server's memory.

use keyward_api::v1;
use keyward_simulate::typist::Typist;
use tonic::transport::Channel;

use super::figures::Figures;
use super::population::{KEYS, PROFILE_SAMPLES, portal, samples};
use super::process::Cores;
use super::{Target, serve_arguments};
use crate::demo::portal::Failed;

/// Profiles that are brought into the cache.
const PROFILES: u64 = 500;
/// Importers at once.
const IMPORTERS: u8 = 8;

/// Imports profiles, starts the server anew, and watches its resident memory.
///
/// Three sweeps of as many assessments: over one person, over all of them, over all of them again. All leave the same
/// behind in the hot store and the log; only the second also brings profiles and keys into the caches.
pub(super) async fn measure(cores: Option<Cores>, figures: &mut Figures) -> Result<(), Failed> {
    let folder = tempfile::Builder::new().prefix("keyward-bench-").tempdir()?;
    let arguments = serve_arguments(folder.path(), None, None);
    let server = Target::start(cores, &arguments).await?;
    import(&server.channels[0]).await?;
    drop(server);
    let server = Target::start(cores, &arguments).await?;
    let channel = &server.channels[0];
    for _ in 0..2 {
        sweep(channel, |_| 0).await?;
    }
    let before = server.process.resident_bytes()?;
    sweep(channel, |person| person).await?;
    let filled = server.process.resident_bytes()?;
    sweep(channel, |person| person).await?;
    let after = server.process.resident_bytes()?;
    let each = ((filled - before) - (after - filled)) / PROFILES as f64;
    figures.note("profile_cached_bytes", each);
    figures.note("thousand_profiles_mb", each / 1e3);
    Ok(())
}

fn name(person: u64) -> String {
    format!("person-{person}")
}

async fn import(channel: &Channel) -> Result<(), Failed> {
    let importers: Vec<_> = (0..IMPORTERS)
        .map(|importer| {
            let mut portal = portal(channel);
            tokio::spawn(async move {
                for person in (importer.into()..PROFILES).step_by(IMPORTERS.into()) {
                    portal.import(&name(person), &samples(person, PROFILE_SAMPLES)).await?;
                }
                Ok::<_, Failed>(())
            })
        })
        .collect();
    for importer in importers {
        importer.await??;
    }
    Ok(())
}

/// One assessment of somebody for each profile. What is decided does not matter here.
async fn sweep(channel: &Channel, who: impl Fn(u64) -> u64) -> Result<(), Failed> {
    let mut portal = portal(channel);
    for person in (0..PROFILES).map(who) {
        let visit = portal.visit(&name(person));
        let sample = Typist::new(person).type_text(KEYS, 1_000);
        let telemetry = portal.record(&visit, &sample).await?;
        let mut question = portal.question(&visit, v1::ActionKind::Resume, v1::Sensitivity::Routine);
        question.telemetry = Some(telemetry);
        portal.assess(question).await?;
    }
    Ok(())
}
