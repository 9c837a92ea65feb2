//! Devices and networks that a person was proven on. Only keyed hashes are kept: of the device id, and of the network's
//! prefix (/24 or /48), so that neither can be read back.

use std::net::IpAddr;

use keyward_domain::{ClientContext, Device, SubjectKey, Timestamp};
use keyward_seal::{KeyRing, MacKey};
use serde::{Deserialize, Serialize};

/// The document that holds them.
pub(crate) const DOCUMENT: &str = "known";
/// How many of each are kept; the one unseen for longest makes room.
const KEPT: usize = 32;
/// A sighting is written down again only after this long, so that not every login writes.
const REFRESH_S: i64 = 24 * 3600;

/// What is known of a person's surroundings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    devices: Vec<Sighting>,
    networks: Vec<Sighting>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sighting {
    mark: [u8; 8],
    last_s: i64,
}

/// The marks of where an assessment came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    device: Option<[u8; 8]>,
    network: Option<[u8; 8]>,
}

/// Makes marks.
pub(crate) struct Marker {
    device: MacKey,
    network: MacKey,
}

impl Marker {
    pub(crate) fn new(keys: &KeyRing) -> Self {
        Self { device: keys.mac_key("known-device"), network: keys.mac_key("known-network") }
    }

    /// Marks a device and a network for one person.
    pub(crate) fn marks(&self, who: &SubjectKey, device: &Device, client: &ClientContext) -> Marks {
        let mark = |key: &MacKey, value: &[u8]| {
            let mac = key.mac(&[who.tenant.as_str().as_bytes(), who.subject.as_str().as_bytes(), value]);
            std::array::from_fn(|i| mac[i])
        };
        Marks {
            device: device.id.as_ref().map(|id| mark(&self.device, id.as_str().as_bytes())),
            network: client.ip.map(|ip| mark(&self.network, &prefix(ip))),
        }
    }
}

fn prefix(ip: IpAddr) -> Vec<u8> {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.octets()[..3].to_vec(),
        IpAddr::V6(v6) => v6.octets()[..6].to_vec(),
    }
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
