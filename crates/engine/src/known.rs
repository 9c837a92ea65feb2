//! Devices and networks that a person was proven on, when that was, and whether behaviour may be looked at. Of devices and networks only
//! keyed hashes are kept: of the device id, and of the network's prefix (/24 or /48), so that neither can be read back.
//! Their key is derived from the person's own, which rotation keeps and erasure destroys.

use std::net::IpAddr;

use keyward_domain::{ClientContext, CoarseLocation, Device, Timestamp};
use keyward_scoring::rhythm::Rhythm;
use keyward_scoring::travel;
use keyward_seal::{DataSecret, MacKey};
use serde::{Deserialize, Serialize};

use crate::BehaviourConsent;

/// The document that holds them.
pub(crate) const DOCUMENT: &str = "known";
/// How many of each are kept; the one unseen for longest makes room.
const KEPT: usize = 32;
/// A sighting is written down again only after this long, so that not every login writes.
const REFRESH_S: i64 = 24 * 3600;

/// What is known of a person beside profiles.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    devices: Vec<Sighting>,
    networks: Vec<Sighting>,
    /// The last word on behaviour, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consent: Option<BehaviourConsent>,
    /// When the person was proven. Empty while they are opted out.
    #[serde(default, skip_serializing_if = "Rhythm::is_empty")]
    rhythm: Rhythm,
    /// Where the person was proven last, as the caller told it. None while they are opted out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
}

/// Where and when a person was proven last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    location: CoarseLocation,
    at_s: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sighting {
    mark: [u8; 8],
    last_s: i64,
}

/// Where an assessment came from: marks, and the place as the caller tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Marks {
    device: Option<[u8; 8]>,
    network: Option<[u8; 8]>,
    location: Option<CoarseLocation>,
}

/// Gives one person's marks, and what else stands for the person elsewhere.
pub(crate) struct Marker(MacKey);

impl Marker {
    pub(crate) fn new(secret: &DataSecret) -> Self {
        Self(secret.mac_key("marks"))
    }

    /// The marks of a device and a network.
    pub(crate) fn marks(&self, device: &Device, client: &ClientContext) -> Marks {
        let mark = |kind: &[u8], value: &[u8]| {
            let mac = self.0.mac(&[kind, value]);
            std::array::from_fn(|i| mac[i])
        };
        Marks {
            device: device.id.as_ref().map(|id| mark(b"device", id.as_str().as_bytes())),
            network: client.ip.map(|ip| mark(b"network", prefix(ip).bytes())),
            location: client.location,
        }
    }

    /// The WebAuthn user handle: opaque to others, the same for all passkeys of a person (WebAuthn Level 3 §14.6.1).
    pub(crate) fn user_handle(&self) -> [u8; 16] {
        let mac = self.0.mac(&[b"user-handle"]);
        std::array::from_fn(|i| mac[i])
    }
}

/// The network of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Prefix {
    bytes: [u8; 6],
    length: usize,
}

impl Prefix {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

pub(crate) fn prefix(ip: IpAddr) -> Prefix {
    let mut bytes = [0; 6];
    let length = match ip.to_canonical() {
        IpAddr::V4(v4) => {
            bytes[..3].copy_from_slice(&v4.octets()[..3]);
            3
        }
        IpAddr::V6(v6) => {
            bytes.copy_from_slice(&v6.octets()[..6]);
            6
        }
    };
    Prefix { bytes, length }
}

impl Known {
    /// Whether the device is known; one without an id never is.
    pub(crate) fn has_device(&self, marks: Marks) -> bool {
        marks.device.is_some_and(|mark| self.devices.iter().any(|seen| seen.mark == mark))
    }

    /// Whether the network is known; one that was not told never is.
    pub(crate) fn has_network(&self, marks: Marks) -> bool {
        marks.network.is_some_and(|mark| self.networks.iter().any(|seen| seen.mark == mark))
    }

    /// Whether the person took behaviour out of what is looked at.
    pub(crate) fn opted_out(&self) -> bool {
        self.consent.is_some_and(|consent| consent.opted_out)
    }

    /// The last word on behaviour, if there was one.
    pub(crate) const fn consent(&self) -> Option<BehaviourConsent> {
        self.consent
    }

    /// Writes down the person's word on behaviour. True if it says something new.
    pub(crate) fn consents(&mut self, opted_out: bool, at: Timestamp) -> bool {
        let new = self.opted_out() != opted_out;
        if new {
            self.consent = Some(BehaviourConsent { opted_out, at });
            self.rhythm = Rhythm::default();
            self.place = None;
        }
        new
    }

    /// Whether the person was proven too far away too short a time ago to be there now.
    pub(crate) fn cannot_be_there(&self, marks: Marks, now: Timestamp) -> bool {
        let journey = self.place.zip(marks.location);
        journey.is_some_and(|(from, to)| {
            travel::is_impossible(from.location, to, now.since(Timestamp::from_secs(from.at_s)))
        })
    }

    /// Where and when the person was proven last, if it was told.
    pub(crate) fn last_place(&self) -> Option<(CoarseLocation, Timestamp)> {
        self.place.map(|place| (place.location, Timestamp::from_secs(place.at_s)))
    }

    /// When the person was proven.
    pub(crate) const fn rhythm(&self) -> &Rhythm {
        &self.rhythm
    }

    /// Forgets when the person was proven. True if something was known.
    pub(crate) fn forget_rhythm(&mut self) -> bool {
        !std::mem::take(&mut self.rhythm).is_empty()
    }

    /// What is taken for known when what was written does not open: nothing, and no behaviour, since a word against it may
    /// have stood there.
    pub(crate) fn unreadable(at: Timestamp) -> Self {
        Self { consent: Some(BehaviourConsent { opted_out: true, at }), ..Self::default() }
    }

    /// Devices and networks as they are kept, with when each was last seen.
    pub(crate) fn sightings(&self) -> [Vec<(String, Timestamp)>; 2] {
        let shown = |seen: &Sighting| (keyward_audit::hex(&seen.mark), Timestamp::from_secs(seen.last_s));
        [&self.devices, &self.networks].map(|kind| kind.iter().map(shown).collect())
    }

    /// Writes down a sighting, and its hour unless behaviour is not to be kept. True if there is something new.
    pub(crate) fn see(&mut self, marks: Marks, at: Timestamp) -> bool {
        let device = marks.device.is_some_and(|mark| note(&mut self.devices, mark, at.secs()));
        let network = marks.network.is_some_and(|mark| note(&mut self.networks, mark, at.secs()));
        if self.opted_out() {
            return device || network;
        }
        let hour = self.rhythm.see(at);
        let moved = marks.location.is_some_and(|location| self.move_to(location, at.secs()));
        device || network || hour || moved
    }

    /// Keeps the last place alone. Staying there is written down again once an hour.
    fn move_to(&mut self, location: CoarseLocation, at_s: i64) -> bool {
        let stays = |place: &Place| place.location == location && at_s - place.at_s < 3600;
        if self.place.as_ref().is_some_and(stays) {
            return false;
        }
        self.place = Some(Place { location, at_s });
        true
    }
}

fn note(sightings: &mut Vec<Sighting>, mark: [u8; 8], now_s: i64) -> bool {
    if let Some(seen) = sightings.iter_mut().find(|seen| seen.mark == mark) {
        let stale = now_s - seen.last_s >= REFRESH_S;
        if stale {
            seen.last_s = now_s;
        }
        return stale;
    }
    if sightings.len() >= KEPT
        && let Some(oldest) = (0..sightings.len()).min_by_key(|i| sightings[*i].last_s)
    {
        sightings.swap_remove(oldest);
    }
    sightings.push(Sighting { mark, last_s: now_s });
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(n: u8) -> Marks {
        Marks { device: Some([n; 8]), network: Some([n; 8]), location: None }
    }

    #[test]
    fn a_sighting_is_kept_and_refreshed_once_a_day() {
        let mut known = Known::default();
        assert!(!known.has_device(marks(1)));
        assert!(known.see(marks(1), Timestamp::from_secs(0)));
        assert!(known.has_device(marks(1)) && known.has_network(marks(1)));
        assert!(!known.see(marks(1), Timestamp::from_secs(60)), "nothing new within the hour");
        known.consents(true, Timestamp::from_secs(0));
        assert!(!known.see(marks(1), Timestamp::from_secs(REFRESH_S - 1)), "nor within a day, but its hour");
        assert!(known.see(marks(1), Timestamp::from_secs(REFRESH_S)));
    }

    #[test]
    fn hours_are_kept_of_nobody_who_opted_out() {
        let (mut known, hour) = (Known::default(), |n: i64| Timestamp::from_secs(n * 3600));
        known.see(marks(1), hour(0));
        known.see(marks(1), hour(2));
        assert_eq!(known.rhythm().moments().count(), 2);
        known.consents(true, hour(3));
        known.see(marks(2), hour(4));
        assert!(known.rhythm().is_empty() && known.has_device(marks(2)));
        known.consents(false, hour(5));
        assert!(known.see(marks(2), hour(6)) && known.forget_rhythm() && !known.forget_rhythm());
    }

    #[test]
    fn the_last_place_alone_is_kept_and_none_of_one_who_opted_out() {
        let there =
            |longitude_tenths| CoarseLocation { latitude_tenths: 482, longitude_tenths, uncertainty_km: 20 };
        let at = |longitude_tenths| Marks { location: Some(there(longitude_tenths)), ..Marks::default() };
        let (mut known, hour) = (Known::default(), |n: i64| Timestamp::from_secs(n * 3600));
        assert!(!known.cannot_be_there(at(164), hour(0)), "nothing to have come from");
        known.see(at(164), hour(0));
        assert!(known.cannot_be_there(at(-711), hour(1)) && !known.cannot_be_there(at(-711), hour(24)));
        assert!(!known.cannot_be_there(marks(1), hour(1)), "nobody tells where");
        assert!(!known.see(at(164), Timestamp::from_secs(60)), "she stays");
        known.see(at(-711), hour(24));
        known.see(marks(1), hour(25));
        assert_eq!(known.last_place(), Some((there(-711), hour(24))));
        known.consents(true, hour(26));
        known.see(at(164), hour(27));
        assert_eq!(known.last_place(), None);
    }

    #[test]
    fn what_was_written_before_hours_were_kept_still_reads() {
        let known: Known = serde_json::from_str(r#"{"devices":[],"networks":[]}"#).expect("it reads");
        assert_eq!(known, Known::default());
        assert_eq!(serde_json::to_string(&known).expect("it writes"), r#"{"devices":[],"networks":[]}"#);
    }

    #[test]
    fn the_device_unseen_for_longest_makes_room() {
        let mut known = Known::default();
        for n in 0..=KEPT {
            known.see(
                marks(u8::try_from(n).expect("small")),
                Timestamp::from_secs(i64::try_from(n).expect("small")),
            );
        }
        assert_eq!(known.devices.len(), KEPT);
        assert!(!known.has_device(marks(0)));
        assert!(known.has_device(marks(1)));
    }

    #[test]
    fn a_mapped_address_is_the_network_it_maps_to() {
        let v4: IpAddr = "10.1.2.3".parse().expect("address");
        let mapped: IpAddr = "::ffff:10.1.2.99".parse().expect("address");
        assert_eq!(prefix(v4), prefix(mapped));
    }
}
