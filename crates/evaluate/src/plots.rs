//! Plots as SVG.

use keyward_scoring::evaluation::{quantile, trade_off as frr_at};
use plotters::prelude::*;

use crate::Failed;
use crate::report::{Outcome, SubjectScores};

const SIZE: (u32, u32) = (640, 460);
const FONT: (&str, u32) = ("sans-serif", 16);
/// The least rate that is drawn.
const LEAST_RATE: f64 = 0.001;
/// Points of a curve.
const POINTS: u32 = 160;
/// Bars of a histogram.
const BARS: usize = 60;
const OWN: RGBColor = RGBColor(0, 92, 175);
const OTHERS: RGBColor = RGBColor(200, 50, 47);
const EACH: RGBColor = RGBColor(205, 210, 216);

/// FRR against FAR: each subject's own threshold, and one for all.
pub(crate) fn trade_off(outcome: &Outcome) -> Result<String, Failed> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let rates = || (LEAST_RATE..1.0).log_scale();
        let mut chart = ChartBuilder::on(&root)
            .caption(title(outcome), FONT)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d(rates(), rates())
            .map_err(failed)?;
        let mesh = &mut chart.configure_mesh();
        mesh.light_line_style(WHITE)
            .x_desc("impostors accepted (FAR)")
            .y_desc("genuine rejected (FRR)")
            .draw()
            .map_err(failed)?;
        let fars: Vec<f64> =
            (0..=POINTS).map(|i| LEAST_RATE.powf(1.0 - f64::from(i) / f64::from(POINTS))).collect();
        for subject in &outcome.subjects {
            let curve = curve(&subject.genuine, &subject.impostor, &fars);
            chart.draw_series(LineSeries::new(curve, &EACH)).map_err(failed)?;
        }
        let curve = curve(&all(outcome, |s| &s.genuine), &all(outcome, |s| &s.impostor), &fars);
        chart.draw_series(LineSeries::new(curve, OWN.stroke_width(3))).map_err(failed)?;
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

fn curve(genuine: &[f32], impostor: &[f32], fars: &[f64]) -> Vec<(f64, f64)> {
    let rejected = frr_at(genuine, impostor, fars).unwrap_or_default();
    fars.iter().copied().zip(rejected.into_iter().map(|frr| frr.max(LEAST_RATE))).collect()
}

/// Histograms of all subjects' genuine and impostor scores, by shares.
pub(crate) fn scores(outcome: &Outcome) -> Result<String, Failed> {
    let (genuine, impostor) = (all(outcome, |s| &s.genuine), all(outcome, |s| &s.impostor));
    let both = [genuine.as_slice(), impostor.as_slice()].concat();
    // A few extreme scores must not squeeze the rest into one bar.
    let (low, high) = (quantile(&both, 0.002).unwrap_or(0.0), quantile(&both, 0.98).unwrap_or(1.0));
    let (low, high) = if high - low > 1e-6 { (low, high) } else { (low - 0.5, low + 0.5) };
    let (own, others) = (histogram(&genuine, low, high), histogram(&impostor, low, high));
    let highest = own.iter().chain(&others).map(|(_, share)| *share).fold(0.01, f64::max);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(title(outcome), FONT)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d(f64::from(low)..f64::from(high), 0.0..1.05 * highest)
            .map_err(failed)?;
        let mesh = &mut chart.configure_mesh();
        mesh.light_line_style(WHITE).x_desc("score").y_desc("share of samples").draw().map_err(failed)?;
        for (bars, colour) in [(own, OWN), (others, OTHERS)] {
            let area = AreaSeries::new(bars, 0.0, colour.mix(0.2)).border_style(colour);
            chart.draw_series(area).map_err(failed)?;
        }
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

/// Shares of scores by bar, at the bars' middles. What lies outside counts to the outermost.
fn histogram(scores: &[f32], low: f32, high: f32) -> Vec<(f64, f64)> {
    let mut counts = [0_usize; BARS];
    let width = f64::from(high - low) / BARS as f64;
    for score in scores {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped; what is no number counts to the first bar"
        )]
        let bar = (f64::from(score - low) / width).clamp(0.0, (BARS - 1) as f64) as usize;
        counts[bar] += 1;
    }
    let middle = |bar: usize| f64::from(low) + (bar as f64 + 0.5) * width;
    let share = |count: usize| count as f64 / scores.len().max(1) as f64;
    counts.iter().enumerate().map(|(bar, count)| (middle(bar), share(*count))).collect()
}

fn all(outcome: &Outcome, pick: fn(&SubjectScores) -> &Vec<f32>) -> Vec<f32> {
    let finite = |score: &f32| score.is_finite();
    outcome.subjects.iter().flat_map(|s| pick(s).iter().copied().filter(finite)).collect()
}

fn title(outcome: &Outcome) -> String {
    format!("{}, {}: {}", outcome.signal, outcome.protocol, outcome.detector)
}

fn failed(error: impl std::error::Error) -> Failed {
    Failed::Plot(error.to_string())
}
