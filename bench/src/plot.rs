//! The figures as a picture: nanoseconds by number of nodes, both axes logarithmic.

use std::path::Path;

use plotters::prelude::*;

use crate::bound::floor;
use crate::harness::Measured;
use crate::{LOADWISE_01, OURS, peers};

/// Apart from each other, and dark enough on white.
const COLORS: [RGBColor; 6] = [
    RGBColor(200, 30, 60),
    RGBColor(20, 130, 60),
    RGBColor(20, 90, 180),
    RGBColor(220, 120, 0),
    RGBColor(120, 60, 160),
    RGBColor(90, 90, 90),
];

/// A line: whose figures, of what, and how it is called.
type Line<'a> = (&'a str, &'a str, &'a str);

const PANELS: [(&str, &[Line<'static>]); 4] = [
    (
        "Choose, weighted",
        &[
            (OURS, "choose: weighted_random", "loadwise, random"),
            (OURS, "choose: weighted_round_robin", "loadwise, round robin"),
            (LOADWISE_01, "choose: weighted_random", "0.1, random"),
            (LOADWISE_01, "choose: weighted_round_robin", "0.1, round robin"),
            (peers::WEIGHTED_RS, "choose: weighted_round_robin", "weighted-rs, smooth"),
            (peers::PINGORA, "choose: weighted_round_robin", "Pingora, round robin"),
        ],
    ),
    (
        "Choose by a key of 24 bytes",
        &[
            (OURS, "choose: maglev", "loadwise, maglev"),
            (OURS, "choose: ring_hash", "loadwise, ring"),
            (peers::MAGLEV, "choose: maglev", "maglev"),
            (LOADWISE_01, "choose: ring_hash", "0.1, ring"),
            (peers::HASHRING, "choose: ring_hash", "hashring"),
            (peers::PINGORA, "choose: ring_hash", "Pingora, ketama"),
        ],
    ),
    (
        "Pick and finish",
        &[
            (OURS, "pick + finish: p2c", "loadwise, p2c"),
            (OURS, "pick + finish: peak_ewma", "loadwise, peak EWMA"),
            (OURS, "guarded pick + finish: everything on", "loadwise, everything on"),
            (peers::TOWER, "pick + finish: p2c", "tower, pending requests"),
            (peers::TOWER, "pick + finish: peak_ewma", "tower, peak EWMA"),
        ],
    ),
    (
        "Over one's own slice",
        &[
            (OURS, "slice: PowerOfTwoChoices", "loadwise, p2c"),
            (OURS, "slice: ConsistentHash", "loadwise, hash"),
            (OURS, "slice: LeastLoad", "loadwise, least load"),
            (LOADWISE_01, "slice: PowerOfTwoChoices", "0.1, p2c"),
            (LOADWISE_01, "slice: ConsistentHash", "0.1, hash"),
            (LOADWISE_01, "slice: LeastLoad", "0.1, least load"),
        ],
    ),
];

pub fn draw(all: &[Measured], path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(path, (1200, 900)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, (title, lines)) in root.split_evenly((2, 2)).iter().zip(PANELS) {
        panel(area, title, lines, all)?;
    }
    root.present()?;
    Ok(())
}

fn panel<B: DrawingBackend<ErrorType: 'static>>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    title: &str,
    lines: &[Line<'_>],
    all: &[Measured],
) -> Result<(), Box<dyn std::error::Error>> {
    let points_of = |who: &str, what: &str| -> Vec<(f64, f64)> {
        let rows = all.iter().filter(|m| m.who == who && m.what == what && m.threads == 1);
        rows.map(|m| (m.n as f64, m.ns)).collect()
    };
    let highest = lines.iter().flat_map(|(who, what, _)| points_of(who, what)).map(|p| p.1).fold(100.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d((2.5..12_000f64).log_scale(), (1.0..highest * 3.0).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("nodes")
        .y_desc("ns")
        .x_label_formatter(&|n| format!("{n:.0}"))
        .y_label_formatter(&|ns| format!("{ns:.0}"))
        .draw()?;
    if let Some(f) = floor(all) {
        let line = LineSeries::new([(2.5, f), (12_000.0, f)], BLACK.mix(0.5));
        chart.draw_series(line)?.label("F").legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], BLACK.mix(0.5)));
    }
    for (at, &(who, what, name)) in lines.iter().enumerate() {
        let color = COLORS[at % COLORS.len()].to_rgba();
        let style = color.stroke_width(if who == OURS { 3 } else { 1 });
        let points = points_of(who, what);
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 2, color.filled())))?;
        chart
            .draw_series(LineSeries::new(points, style))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
    }
    chart.configure_series_labels().position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.8)).draw()?;
    Ok(())
}
