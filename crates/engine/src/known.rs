//! Devices and networks that a person was proven on, and whether behaviour may be looked at. Of devices and networks only
//! keyed hashes are kept: of the device id, and of the network's prefix (/24 or /48), so that neither can be read back.
//! Their key is derived from the person's own, which rotation keeps and erasure destroys.

use std::net::IpAddr;

use keyward_domain::{ClientContext, Device, Timestamp};
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    devices: Vec<Sighting>,
    networks: Vec<Sighting>,
    /// The last word on behaviour, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consent: Option<BehaviourConsent>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sighting {
    mark: [u8; 8],
    last_s: i64,
}

/// The marks of where an assessment came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Marks {
    device: Option<[u8; 8]>,
    network: Option<[u8; 8]>,
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
        }
        new
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

    /// Writes down a sighting. True if there is something new to keep.
    pub(crate) fn see(&mut self, marks: Marks, at: Timestamp) -> bool {
        let device = marks.device.is_some_and(|mark| note(&mut self.devices, mark, at.secs()));
        let network = marks.network.is_some_and(|mark| note(&mut self.networks, mark, at.secs()));
        device || network
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
        Marks { device: Some([n; 8]), network: Some([n; 8]) }
    }

    #[test]
    fn a_sighting_is_kept_and_refreshed_once_a_day() {
        let mut known = Known::default();
        assert!(!known.has_device(marks(1)));
        assert!(known.see(marks(1), Timestamp::from_secs(0)));
        assert!(known.has_device(marks(1)) && known.has_network(marks(1)));
        assert!(!known.see(marks(1), Timestamp::from_secs(60)), "nothing new within a day");
        assert!(known.see(marks(1), Timestamp::from_secs(REFRESH_S)));
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
