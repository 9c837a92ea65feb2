//! Clinicians with passkeys and mature profiles, made through the API, and their logins, encoded beforehand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keyward_api::v1;
use keyward_domain::KeystrokeSample;
use keyward_features::fixed_text;
use keyward_scoring::KeystrokeModel;
use keyward_simulate::authenticator::SoftAuthenticator;
use keyward_simulate::typist::Typist;
use prost::Message;
use prost::bytes::Bytes;
use tonic::transport::Channel;

use crate::clock::SystemClock;
use crate::demo::cast::is_distinctive;
use crate::demo::portal::{Failed, Portal};

/// Keys of the password, Enter included: as many as the CMU benchmark's.
pub(super) const KEYS: usize = 11;
/// Samples that a profile is made of: as many as a model takes.
pub(super) const PROFILE_SAMPLES: u64 = 50;
/// From this sample on a typist is practised.
const PRACTISED: u64 = 200;
/// Samples that are tried in search of those that pass, and how many are kept.
const CANDIDATES: u64 = 40;
const KEPT: usize = 4;
/// Typing that is more unusual is left out: a person's limits come down over thousands of quiet logins.
const MOST_Z: f32 = 1.0;
/// Makers of requests at once.
const MAKERS: usize = 32;

/// One clinician.
struct Clinician {
    name: String,
    laptop: SoftAuthenticator,
    /// Typing that her profile takes for hers and the policy lets in.
    typing: Vec<KeystrokeSample>,
}

/// All of them.
pub(super) struct Population {
    clinicians: Vec<Clinician>,
}

/// Tells ids of one portal from another's.
static PORTALS: AtomicU64 = AtomicU64::new(0);

/// A back end with ids of its own.
pub(super) fn portal(channel: &Channel) -> Portal {
    let number = PORTALS.fetch_add(1, Ordering::Relaxed);
    Portal::over(channel.clone(), SystemClock, &format!("b{number}"))
}

/// A typist's samples, practised, in order.
pub(super) fn samples(seed: u64, count: u64) -> Vec<KeystrokeSample> {
    (PRACTISED..PRACTISED + count).map(|at| Typist::new(seed).type_text(KEYS, at)).collect()
}

impl Population {
    /// Makes them known to a server: a passkey, an imported profile, one proven login that makes device and network known.
    pub(super) async fn settle(channel: &Channel, count: u64) -> Result<Arc<Self>, Failed> {
        let mut clinicians = Vec::new();
        // Those that typing tells from strangers: of others the policy asks for the passkey, which is another measurement.
        let distinctive = (0..).filter(|seed| is_distinctive(&samples(*seed, PROFILE_SAMPLES)));
        for seed in distinctive.take(usize::try_from(count)?) {
            clinicians.push(Clinician::settle(&mut portal(channel), seed).await?);
        }
        Ok(Arc::new(Self { clinicians }))
    }

    /// Encoded logins by password and typing: each with a session and a nonce of its own.
    pub(super) async fn logins(
        self: &Arc<Self>,
        channels: &[Channel],
        count: usize,
    ) -> Result<Vec<Bytes>, Failed> {
        self.make(channels, count, false).await
    }

    /// The same with a passkey assertion each. Its challenge is bound to no telemetry, so that nothing is learned from
    /// it and the verification is measured, not the training.
    pub(super) async fn proven_logins(
        self: &Arc<Self>,
        channels: &[Channel],
        count: usize,
    ) -> Result<Vec<Bytes>, Failed> {
        self.make(channels, count, true).await
    }

    async fn make(
        self: &Arc<Self>,
        channels: &[Channel],
        count: usize,
        proven: bool,
    ) -> Result<Vec<Bytes>, Failed> {
        let makers: Vec<_> = (0..MAKERS)
            .map(|maker| {
                let (all, mut portal) = (Arc::clone(self), portal(&channels[maker % channels.len()]));
                tokio::spawn(async move {
                    let mut requests = Vec::with_capacity(count / MAKERS + 1);
                    for number in (maker..count).step_by(MAKERS) {
                        requests.push(all.login(&mut portal, number, proven).await?);
                    }
                    Ok::<_, Failed>(requests)
                })
            })
            .collect();
        let mut requests = Vec::with_capacity(count);
        for maker in makers {
            requests.extend(maker.await??);
        }
        Ok(requests)
    }

    async fn login(&self, portal: &mut Portal, number: usize, proven: bool) -> Result<Bytes, Failed> {
        let clinician = &self.clinicians[number % self.clinicians.len()];
        let sample = &clinician.typing[number / self.clinicians.len() % clinician.typing.len()];
        let visit = portal.visit(&clinician.name);
        let telemetry = portal.record(&visit, sample).await?;
        let mut question = portal.login(&visit, Some(telemetry));
        if proven {
            question.assertion = Some(portal.prove(&visit, None, &clinician.laptop).await?);
        }
        Ok(portal.request(question).encode_to_vec().into())
    }

    /// One real answer to a login.
    pub(super) async fn answer(&self, channel: &Channel) -> Result<v1::AssessResponse, Failed> {
        let (portal, clinician) = (&mut portal(channel), &self.clinicians[0]);
        let visit = portal.visit(&clinician.name);
        let telemetry = portal.record(&visit, &clinician.typing[0]).await?;
        let answer = portal.assess(portal.login(&visit, Some(telemetry))).await?;
        Ok(v1::AssessResponse { decision: Some(answer.decision) })
    }
}

impl Clinician {
    async fn settle(portal: &mut Portal, seed: u64) -> Result<Self, Failed> {
        let name = format!("clinician-{seed}");
        let laptop = SoftAuthenticator::new(crate::demo::ORIGIN, seed);
        let visit = portal.visit(&name);
        portal.register(&visit, &laptop).await?;
        portal.import(&name, &samples(seed, PROFILE_SAMPLES)).await?;
        let assertion = portal.prove(&visit, None, &laptop).await?;
        let mut first = portal.login(&visit, None);
        first.assertion = Some(assertion);
        let proven = portal.assess(first).await?;
        if !proven.allows() {
            return Err("a login with a passkey was not allowed".into());
        }
        let mut typing = Vec::new();
        let typed: Result<Vec<_>, _> = samples(seed, PROFILE_SAMPLES).iter().map(fixed_text).collect();
        let model = KeystrokeModel::train(&typed?)?;
        for at in 0..CANDIDATES {
            let sample = Typist::new(seed).type_text(KEYS, PRACTISED + PROFILE_SAMPLES + at);
            if model.score(&fixed_text(&sample)?)?.z > MOST_Z {
                continue;
            }
            let visit = portal.visit(&name);
            let telemetry = portal.record(&visit, &sample).await?;
            if portal.assess(portal.login(&visit, Some(telemetry))).await?.allows() {
                typing.push(sample);
            }
            if typing.len() == KEPT {
                return Ok(Self { name, laptop, typing });
            }
        }
        Err(format!("{name} was hardly ever let in by typing").into())
    }
}
