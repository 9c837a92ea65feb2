//! Clinicians with passkeys and mature profiles, made through the API, and their logins, encoded beforehand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use keyward_api::v1;
use keyward_domain::KeystrokeSample;
use keyward_features::fixed_text;
use keyward_scoring::KeystrokeModel;
use keyward_scoring::recent::Recent;
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
/// Logins by typing that a clinician tries at first, of which all must be let in.
const TRIED: u32 = 8;
/// Typing that is more unusual is left out: a person's limits come down over thousands of quiet logins.
const MOST_Z: f32 = 1.0;
/// Makers of requests at once.
const MAKERS: usize = 32;

/// One clinician.
struct Clinician {
    name: String,
    laptop: SoftAuthenticator,
    typist: Typist,
    /// As the server has it, which was given the same samples.
    model: KeystrokeModel,
    typed: Mutex<Typed>,
}

/// What a clinician typed lately. Nothing is sent twice, for that would be noticed as a recording.
struct Typed {
    next: u64,
    recent: Recent,
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
        for seed in distinctive.take(2 * usize::try_from(count)?) {
            if clinicians.len() as u64 == count {
                break;
            }
            clinicians.extend(Clinician::settle(&mut portal(channel), seed).await?);
        }
        if (clinicians.len() as u64) < count {
            return Err("hardly anybody was let in by typing".into());
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
        let visit = portal.visit(&clinician.name);
        let telemetry = portal.record(&visit, &clinician.types()?).await?;
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
        let telemetry = portal.record(&visit, &clinician.types()?).await?;
        let answer = portal.assess(portal.login(&visit, Some(telemetry))).await?;
        Ok(v1::AssessResponse { decision: Some(answer.decision) })
    }
}

impl Clinician {
    /// None where the policy asks for the passkey though her typing is usual.
    async fn settle(portal: &mut Portal, seed: u64) -> Result<Option<Self>, Failed> {
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
        let texts: Result<Vec<_>, _> = samples(seed, PROFILE_SAMPLES).iter().map(fixed_text).collect();
        let typed = Typed { next: PRACTISED + PROFILE_SAMPLES, recent: Recent::default() };
        let (typist, model) = (Typist::new(seed), KeystrokeModel::train(&texts?)?);
        let clinician = Self { name, laptop, typist, model, typed: Mutex::new(typed) };
        for _ in 0..TRIED {
            let visit = portal.visit(&clinician.name);
            let telemetry = portal.record(&visit, &clinician.types()?).await?;
            if !portal.assess(portal.login(&visit, Some(telemetry))).await?.allows() {
                return Ok(None);
            }
        }
        Ok(Some(clinician))
    }

    /// The next typing that her profile takes for hers, unlike all that came lately.
    fn types(&self) -> Result<KeystrokeSample, Failed> {
        let mut typed = self.typed.lock().map_err(|_| "a maker of requests panicked")?;
        loop {
            let at = typed.next;
            typed.next += 1;
            let sample = self.typist.type_text(KEYS, at);
            let text = fixed_text(&sample)?;
            let scored = self.model.score(&text)?;
            if scored.z <= MOST_Z && !scored.is_replay() && !typed.recent.repeats(&text, None) {
                typed.recent.note(&text, at);
                return Ok(sample);
            }
        }
    }
}
