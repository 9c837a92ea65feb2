//! Error rates of scores, higher meaning "someone else".

/// The equal error rate: where the share of genuine scores rejected (FRR) equals the share of impostor scores
/// accepted (FAR), interpolated between the two thresholds next to the crossing. `None` without scores on
/// both sides.
pub fn equal_error_rate(genuine: &[f32], impostor: &[f32]) -> Option<f64> {
    let (genuine, impostor) = (sorted(genuine)?, sorted(impostor)?);
    let mut before = (1.0_f64, 0.0_f64);
    for threshold in merged(&genuine, &impostor) {
        let (frr, far) = (share_above(&genuine, threshold), 1.0 - share_above(&impostor, threshold));
        if far >= frr {
            let (gap_before, gap) = (before.0 - before.1, far - frr);
            let weight = if gap_before + gap > 0.0 { gap_before / (gap_before + gap) } else { 0.0 };
            return Some(before.0 + weight * (frr - before.0));
        }
        before = (frr, far);
    }
    Some(before.0)
}

/// The share of genuine scores rejected at the lowest threshold that accepts no more than `far` of the
/// impostors; at 0 this is the zero-miss false-alarm rate. `None` without scores on both sides.
pub fn frr_at_far(genuine: &[f32], impostor: &[f32], far: f64) -> Option<f64> {
    trade_off(genuine, impostor, &[far]).map(|frr| frr[0])
}

/// [`frr_at_far`] at each of many rates: a detection error trade-off curve.
pub fn trade_off(genuine: &[f32], impostor: &[f32], fars: &[f64]) -> Option<Vec<f64>> {
    let (genuine, impostor) = (sorted(genuine)?, sorted(impostor)?);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length is an index"
    )]
    let accepted = |far: &f64| (far.clamp(0.0, 1.0) * impostor.len() as f64).floor() as usize;
    let frr = |far: &f64| {
        let Some(threshold) = impostor.get(accepted(far)) else { return 0.0 };
        let rejected = genuine.len() - genuine.partition_point(|s| s < threshold);
        rejected as f64 / genuine.len() as f64
    };
    Some(fars.iter().map(frr).collect())
}

/// The chance that somebody else's score lies above a genuine one (area under the ROC curve; equal scores count half).
/// `None` without scores on both sides.
pub fn area_under_curve(genuine: &[f32], impostor: &[f32]) -> Option<f64> {
    let (genuine, impostor) = (sorted(genuine)?, sorted(impostor)?);
    let below = |score: &f32| {
        let (less, not_more) =
            (genuine.partition_point(|g| g < score), genuine.partition_point(|g| g <= score));
        f64::midpoint(less as f64, not_more as f64)
    };
    Some(impostor.iter().map(below).sum::<f64>() / (genuine.len() * impostor.len()) as f64)
}

/// The share of scores above a threshold.
pub fn rejected(scores: &[f32], threshold: f32) -> f64 {
    scores.iter().filter(|s| **s > threshold).count() as f64 / scores.len().max(1) as f64
}

/// The quantile of scores at `share` (0: least, 1: greatest), the nearest rank. `None` without scores.
pub fn quantile(scores: &[f32], share: f64) -> Option<f32> {
    let scores = sorted(scores)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length is an index"
    )]
    let rank = (share.clamp(0.0, 1.0) * (scores.len() - 1) as f64).round() as usize;
    Some(scores[rank])
}

fn sorted(scores: &[f32]) -> Option<Vec<f32>> {
    let mut scores = scores.to_vec();
    scores.sort_by(f32::total_cmp);
    (!scores.is_empty()).then_some(scores)
}

fn merged(a: &[f32], b: &[f32]) -> Vec<f32> {
    let mut all = [a, b].concat();
    all.sort_by(f32::total_cmp);
    all.dedup();
    all
}

fn share_above(sorted: &[f32], threshold: f32) -> f64 {
    (sorted.len() - sorted.partition_point(|s| *s <= threshold)) as f64 / sorted.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_known_scores() {
        let (genuine, impostor) = ([1.0, 2.0, 3.0, 4.0, 9.0], [3.5, 6.0, 7.0, 8.0, 9.5]);
        assert_eq!(equal_error_rate(&genuine, &impostor), Some(0.2));
        assert_eq!(equal_error_rate(&[1.0, 2.0], &[3.0, 4.0]), Some(0.0));
        assert_eq!(equal_error_rate(&[3.0, 4.0], &[1.0, 2.0]), Some(1.0));
        assert_eq!(equal_error_rate(&[], &impostor), None);
        assert_eq!(frr_at_far(&genuine, &impostor, 0.0), Some(0.4));
        assert_eq!(frr_at_far(&genuine, &impostor, 0.2), Some(0.2));
        assert_eq!(frr_at_far(&genuine, &impostor, 1.0), Some(0.0));
        assert_eq!(trade_off(&genuine, &impostor, &[0.0, 0.2, 1.0]), Some(vec![0.4, 0.2, 0.0]));
        assert_eq!(trade_off(&genuine, &[], &[0.0]), None);
        assert_eq!(area_under_curve(&[1.0, 2.0], &[2.0, 3.0]), Some(0.875));
        assert_eq!(area_under_curve(&genuine, &[]), None);
        assert!((rejected(&genuine, 3.0) - 0.4).abs() < 1e-12);
        assert_eq!(quantile(&genuine, 0.5), Some(3.0));
    }
}
