//! Journeys that cannot have been made: between where a person was last proven and where they ask now, as the caller tells
//! both. Nothing is looked up, no country is known, and nothing finer than a town is told.

use std::time::Duration;

use keyward_domain::CoarseLocation;

/// No passenger arrives faster, from town to town: an airliner with the wind behind it, without the ways to and from it.
const FASTEST_KM_H: f64 = 1000.0;
/// Journeys shorter than this are not judged: gateways of one mobile network lie so far apart.
const SHORTEST_KM: f64 = 300.0;
/// Half the diagonal of a tenth of a degree, at the equator.
const ROUNDING_KM: f64 = 7.9;
/// The mean radius of the earth (IUGG, 1980).
const EARTH_RADIUS_KM: f64 = 6371.0088;

/// Whether nobody gets from one place to the other within this time, even if both are told as badly as they may be.
pub fn is_impossible(from: CoarseLocation, to: CoarseLocation, within: Duration) -> bool {
    let unsure = |place: CoarseLocation| f64::from(place.uncertainty_km) + ROUNDING_KM;
    let least_km = distance_km(from, to) - unsure(from) - unsure(to);
    least_km >= SHORTEST_KM && least_km > FASTEST_KM_H * within.as_secs_f64() / 3600.0
}

/// The great-circle distance, by the haversine formula (R. W. Sinnott, "Virtues of the Haversine", Sky & Telescope 68, 1984).
fn distance_km(from: CoarseLocation, to: CoarseLocation) -> f64 {
    let radians = |tenths: i16| (f64::from(tenths) / 10.0).to_radians();
    let (south, north) = (radians(from.latitude_tenths), radians(to.latitude_tenths));
    let turn = radians(to.longitude_tenths) - radians(from.longitude_tenths);
    let haversine =
        ((north - south) / 2.0).sin().powi(2) + south.cos() * north.cos() * (turn / 2.0).sin().powi(2);
    2.0 * EARTH_RADIUS_KM * haversine.clamp(0.0, 1.0).sqrt().asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn place(latitude_tenths: i16, longitude_tenths: i16, uncertainty_km: u16) -> CoarseLocation {
        CoarseLocation { latitude_tenths, longitude_tenths, uncertainty_km }
    }

    const VIENNA: CoarseLocation = place(482, 164, 20);
    const GRAZ: CoarseLocation = place(471, 154, 20);
    const BOSTON: CoarseLocation = place(424, -711, 20);
    const SUVA: CoarseLocation = place(-181, 1784, 20);
    const APIA: CoarseLocation = place(-138, -1718, 20);

    #[test]
    fn distances_are_those_of_the_globe() {
        // Great-circle distances of the coordinates, by Vincenty's formula within half a percent.
        for (from, to, km) in [(VIENNA, BOSTON, 6490.0), (VIENNA, GRAZ, 143.0), (SUVA, APIA, 1140.0)] {
            let (there, back) = (distance_km(from, to), distance_km(to, from));
            assert!((there - km).abs() < 0.02 * km && (there - back).abs() < 1e-6, "{there} for {km}");
        }
        assert!(distance_km(place(900, 0, 0), place(900, 1800, 0)) < 1.0, "the pole is one place");
        let half_around = distance_km(place(0, -900, 0), place(0, 900, 0));
        assert!((half_around - 20_015.0).abs() < 1.0, "{half_around}");
    }

    #[test]
    fn only_what_nobody_can_travel_is_impossible() {
        let hours = |n: u64| Duration::from_hours(n);
        assert!(is_impossible(VIENNA, BOSTON, hours(2)) && is_impossible(BOSTON, VIENNA, hours(6)));
        assert!(!is_impossible(VIENNA, BOSTON, hours(7)));
        assert!(!is_impossible(VIENNA, GRAZ, Duration::ZERO), "too near to be judged");
        assert!(is_impossible(SUVA, APIA, Duration::ZERO), "across the date line");
        assert!(!is_impossible(VIENNA, VIENNA, Duration::ZERO));
        assert!(!is_impossible(VIENNA, place(424, -711, 5000), hours(2)), "who knows where that is");
        assert!(
            !is_impossible(place(900, 1800, 0), place(-900, -1800, 0), hours(21)),
            "a day is enough for all"
        );
    }
}
