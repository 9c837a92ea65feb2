//! Who types: recorded people, or synthetic ones.

use std::path::Path;

use keyward_domain::{KeystrokeSample, Maturity};
use keyward_features::fixed_text;
use keyward_scoring::KeystrokeModel;
use keyward_simulate::recorded;
use keyward_simulate::typist::Typist;

use super::portal::Failed;

/// Impostors at most.
const IMPOSTORS: usize = 5;
/// Others that play the clinician once more, about.
const OTHERS: usize = 5;
/// Keys of the synthetic password, Enter included: as many as the CMU benchmark's.
const KEYS: usize = 11;
/// Logins of the synthetic clinician, and tries of each synthetic impostor.
const SYNTHETIC: (u64, u64) = (160, 25);
/// How many seeds are looked through for a clinician whose typing tells her from strangers.
const SEEDS: u64 = 16;
/// Keeps seeds of neighbouring runs apart.
const SEED_STRIDE: u64 = 1_000;

/// Someone at a keyboard.
pub(super) struct Hands {
    pub(super) name: String,
    /// What they type, in order.
    pub(super) samples: Vec<KeystrokeSample>,
}

/// Everyone.
pub(super) struct Cast {
    people: Vec<Hands>,
    /// Which of them plays the clinician of the story.
    clinician: usize,
    /// The file, if people were recorded.
    source: Option<String>,
}

/// One clinician, and who tries to pass for her.
pub(super) struct Roles<'a> {
    pub(super) clinician: &'a Hands,
    pub(super) impostors: Vec<&'a Hands>,
}

impl Cast {
    /// The people of a file. The first of them whose typing tells them from strangers plays the clinician, unless another
    /// is named: of the rest keyward asks for the passkey every time, which the last chapter counts.
    pub(super) fn recorded(path: &Path, named: Option<&str>) -> Result<Self, Failed> {
        let file = path.display();
        let recordings = recorded::cmu(path).map_err(|e| format!("{file}: {e}"))?;
        let people: Vec<Hands> =
            recordings.into_iter().map(|r| Hands { name: r.subject, samples: r.samples }).collect();
        let clinician = match named {
            None => people.iter().position(|hands| is_distinctive(early(hands))).unwrap_or(0),
            Some(named) => {
                let found = people.iter().position(|hands| hands.name == named);
                found.ok_or_else(|| format!("{file}: no subject {named}"))?
            }
        };
        if people.len() < 2 {
            return Err(format!("{file}: the story needs two subjects at least").into());
        }
        Ok(Self { people, clinician, source: Some(file.to_string()) })
    }

    /// People that never were.
    pub(super) fn synthetic(seed: u64) -> Self {
        let cast = |seed: u64| Self::synthetic_people(seed.wrapping_mul(SEED_STRIDE));
        let mut people = (seed..seed.saturating_add(SEEDS)).map(cast);
        let told_apart = people.find(|people| is_distinctive(early(&people[0])));
        Self { people: told_apart.unwrap_or_else(|| cast(seed)), clinician: 0, source: None }
    }

    fn synthetic_people(base: u64) -> Vec<Hands> {
        let hands = |number: u64| Hands {
            name: format!("typist {number}"),
            samples: (0..if number == 0 { SYNTHETIC.0 } else { SYNTHETIC.1 })
                .map(|at| Typist::new(base.wrapping_add(number)).type_text(KEYS, at))
                .collect(),
        };
        (0..=IMPOSTORS as u64).map(hands).collect()
    }

    /// The roles of the story.
    pub(super) fn roles(&self) -> Roles<'_> {
        self.roles_around(self.clinician)
    }

    /// The roles with others as the clinician, spread over the file, the first of it among them. None where typing is
    /// synthetic: there they would show nothing new.
    pub(super) fn other_roles(&self) -> impl Iterator<Item = Roles<'_>> {
        let others = if self.source.is_some() { self.people.len() } else { 0 };
        let stride = self.people.len().div_ceil(OTHERS).max(1);
        (0..others).step_by(stride).filter(|at| *at != self.clinician).map(|at| self.roles_around(at))
    }

    fn roles_around(&self, clinician: usize) -> Roles<'_> {
        let others = || self.people.iter().enumerate().filter(|(at, _)| *at != clinician);
        let stride = others().count().div_ceil(IMPOSTORS).max(1);
        Roles {
            clinician: &self.people[clinician],
            impostors: others().step_by(stride).map(|(_, hands)| hands).collect(),
        }
    }

    /// Where the typing comes from, said plainly.
    pub(super) fn provenance(&self) -> String {
        let Roles { clinician, impostors } = self.roles();
        match &self.source {
            None => "!! THE TYPING BELOW IS SYNTHETIC: it comes from a model of typists that keyward ships, not from \
                     people.\n!! It shows how keyward works and says nothing of how well. Recordings: --data CSV."
                .to_owned(),
            Some(path) => format!(
                "Typing recorded from people: {path}\n{} plays the clinician ({} samples), {} others the impostors.",
                clinician.name,
                clinician.samples.len(),
                impostors.len()
            ),
        }
    }

    /// Whether people were recorded.
    pub(super) fn is_recorded(&self) -> bool {
        self.source.is_some()
    }
}

/// Whether a model of this typing tells its person from strangers.
pub(crate) fn is_distinctive(samples: &[KeystrokeSample]) -> bool {
    let texts: Vec<_> = samples.iter().filter_map(|sample| fixed_text(sample).ok()).collect();
    KeystrokeModel::train(&texts).is_ok_and(|model| model.maturity() == Maturity::Mature)
}

/// The first half of what someone typed.
fn early(hands: &Hands) -> &[KeystrokeSample] {
    &hands.samples[..hands.samples.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_an_impostor_of_themselves() {
        let cast = Cast { source: Some("file".into()), ..Cast::synthetic(3) };
        for Roles { clinician, impostors } in cast.other_roles().chain([cast.roles()]) {
            assert!(!impostors.is_empty() && impostors.len() <= IMPOSTORS);
            assert!(impostors.iter().all(|hands| hands.name != clinician.name));
        }
        assert_eq!(Cast::synthetic(3).other_roles().count(), 0);
    }
}
