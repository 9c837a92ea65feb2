//! Record access within sessions: false alarms of synthetic staff, and how insiders among them are noticed.
//!
//! Everything here is synthetic (`keyward_simulate::shifts`): it shows that the model does what it says and where it does
//! not, beside fixed ceilings, and is no figure of a real hospital.
//!
//! Each person works shift after shift. Every window is judged by what was learned before; only sessions that a passkey
//! proved teach. At a person's second shift, and again at an established one, each kind of insider has the session once, on
//! a copy that leaves no trace.

mod figures;
mod life;

use clap::Args;
use keyward_features::AccessCounts;
use keyward_scoring::record_access::PeerGroup;
use keyward_simulate::shifts::{Insider, Role, Worker};

use crate::report::{Outcome, Report};
use crate::{Common, Failed};
use life::{Detector, Life};

/// What to evaluate.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Hospitals, each with its own ways.
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub hospitals: u64,
    /// People of each role at each hospital who are judged.
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub people: u64,
    /// Others of each role at each hospital, whose records make the group of `keyward-fitted`.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub peers: u64,
    /// Shifts of each person.
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub shifts: u32,
    /// Of so many sessions one is proven by a passkey, and teaches.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub proven_every: u32,
}

/// Shifts of a colleague that a fitted group is made of.
const PEER_SHIFTS: u32 = 20;

/// A person who is judged, and the groups they are held beside.
struct Person {
    name: String,
    worker: Worker,
    shipped: PeerGroup,
    fitted: PeerGroup,
}

/// Runs every detector on everybody.
///
/// # Errors
/// [`Failed`], naming the option.
pub fn run(options: &Options, common: &Common, report: &mut Report) -> Result<(), Failed> {
    if options.hospitals == 0 || options.people == 0 || options.proven_every == 0 {
        return Err(Failed::Options("there must be hospitals, people, and proven sessions".to_owned()));
    }
    if options.shifts < life::LEAST_SHIFTS {
        return Err(Failed::Options(format!("at least {} shifts are needed", life::LEAST_SHIFTS)));
    }
    let people = people(options, common.seed)?;
    for detector in Detector::ALL {
        let progress = common.progress(people.len(), detector.name());
        let lives: Vec<Life> = people
            .iter()
            .map(|person| {
                let life = Life::of(person, detector, options);
                progress.inc(1);
                life
            })
            .collect();
        progress.finish_and_clear();
        for insider in Insider::ALL {
            report.outcome(&Outcome {
                signal: "session",
                protocol: insider.name().to_owned(),
                detector: detector.name().to_owned(),
                subjects: lives.iter().map(|life| life.scores(insider)).collect(),
                further: figures::of(&lives, insider, detector, common.seed),
            })?;
        }
    }
    Ok(())
}

fn people(options: &Options, seed: u64) -> Result<Vec<Person>, Failed> {
    let mut people = Vec::new();
    for hospital in 0..options.hospitals {
        let hospital = seed.wrapping_mul(1_000).wrapping_add(hospital);
        for role in Role::ALL {
            let worker =
                |nth: u64| Worker::new(hospital, role, hospital.wrapping_mul(1_000).wrapping_add(nth));
            let shipped = PeerGroup::of_role(role.name());
            let peers: Vec<_> =
                (0..options.peers).map(|nth| windows(&worker(options.people + nth))).collect();
            let fitted = shipped.fitted(&peers).ok_or_else(|| Failed::Options("too few peers".to_owned()))?;
            people.extend((0..options.people).map(|nth| Person {
                name: format!("{hospital}-{}-{nth}", role.name()),
                worker: worker(nth),
                shipped: shipped.clone(),
                fitted: fitted.clone(),
            }));
        }
    }
    Ok(people)
}

fn windows(worker: &Worker) -> Vec<AccessCounts> {
    let shifts = (0..PEER_SHIFTS).flat_map(|nth| worker.shift(nth));
    shifts.map(|window| life::looked_at(&window).counts).collect()
}
