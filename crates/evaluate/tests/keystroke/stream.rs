//! The protocols `stream` and `poison`, where the data is.

use crate::command::evaluated;

#[test]
fn a_life_as_the_product_lives_it() {
    let Some(lines) = evaluated("--protocol stream") else { return };
    let figure = |name: &str| lines.first(name);
    assert!(figure("contamination_max") <= 0.0, "nobody teaches without a passkey");
    assert!(figure("eer_mean") <= 0.05 && figure("eer_common") <= 0.07);
    // For everybody together: half of the subjects, 17 people, keep a promise of 2 % only roughly.
    assert!((0.7..=1.3).contains(&figure("medium_observed_over_promised")));
}

#[test]
fn no_attacker_moves_a_template_without_a_passkey() {
    let Some(lines) = evaluated("--protocol poison --half even") else { return };
    assert!(lines.first("gain_most") <= 0.2);
    assert!(lines.first("attackers") >= 30.0);
}
