//! The curves of growth as an SVG: sizes from left to right on a logarithmic scale, upwards what a
//! call costs there in what it costs at the smallest size.

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::growth::{Curve, GROWTH_MAX, counted};

/// In pixels; a page of a document is about as wide.
const SIZE: (u32, u32) = (960, 540);

/// A generic family that every viewer has: nothing is fetched, nothing is embedded.
const FONT: &str = "sans-serif";

/// Eight colours that people who see fewer of them tell apart as well (Okabe and Ito), without the
/// yellow, which is hardly seen on white.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
    RGBColor(120, 120, 120),
];

/// The room for the legend, to the right of the curves.
const LEGEND_WIDTH: u32 = 300;

/// The distance between two lines of the legend.
const LEGEND_LINE: i32 = 24;

/// The distance between a line and its note.
const NOTE_LINE: i32 = 18;

/// A chart that cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the chart cannot be drawn: {0}")]
pub struct Undrawable(String);

/// Draws the curves, and the line that they should stay below.
///
/// # Errors
/// [`Undrawable`]: no curve has a point.
pub fn svg(curves: &[Curve]) -> Result<String, Undrawable> {
    let points = || curves.iter().flat_map(Curve::judged);
    let largest = points()
        .map(|point| point.size)
        .max()
        .ok_or_else(|| Undrawable("there is nothing to draw".to_owned()))?;
    let highest = points().map(|point| point.growth_most).fold(0.0, f64::max);

    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        let (left, right) = area.split_horizontally(SIZE.0 - LEGEND_WIDTH);
        area.fill(&WHITE)
            .and_then(|()| plot(&left, curves, largest as f64, highest))
            .and_then(|()| legend(&right, curves))
            .and_then(|()| area.present())
            .map_err(|problem| Undrawable(problem.to_string()))?;
    }
    Ok(text)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<<SVGBackend<'static> as DrawingBackend>::ErrorType>>;

fn plot(area: &Area<'_>, curves: &[Curve], largest: f64, highest: f64) -> Drawn {
    // From 0, so that a growth of a tenth does not look like a mountain.
    let top = (highest * 1.1).max(1.5);
    let sizes = (1.0..largest.max(10.0) * 1.3).log_scale();
    let mut chart = ChartBuilder::on(area)
        .caption("Cost of a call as there is more to keep", (FONT, 22))
        .margin(12)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(sizes, 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc("how many there are")
        .y_desc("processor time of a call ÷ at the smallest size")
        .x_label_formatter(&|size| counted(size.round() as u64))
        .y_label_formatter(&|growth| format!("{growth:.1} ×"))
        .label_style((FONT, 15))
        .axis_desc_style((FONT, 16))
        .light_line_style(WHITE.mix(0.0))
        .draw()?;
    let bound = [(1.0, GROWTH_MAX), (largest.max(10.0) * 1.3, GROWTH_MAX)];
    chart.draw_series(DashedLineSeries::new(bound, 6, 5, RED.stroke_width(1)))?;
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        let points = || curve.judged().map(|p| (p.size as f64, p.growth));
        chart.draw_series(LineSeries::new(points(), colour.stroke_width(2)))?;
        chart.draw_series(points().map(|at| Circle::new(at, 4, colour.filled())))?;
    }
    Ok(())
}

/// Beside the curves, never over them.
fn legend(area: &Area<'_>, curves: &[Curve]) -> Drawn {
    let style = TextStyle::from((FONT, 16)).color(&BLACK);
    let small = TextStyle::from((FONT, 13)).color(&BLACK);
    let mut y = 70;
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        let line = vec![(4, y), (28, y)];
        area.draw(&PathElement::new(line, colour.stroke_width(2)))?;
        area.draw(&Circle::new((16, y), 4, colour.filled()))?;
        area.draw_text(curve.axis.name, &style, (36, y - 8))?;
        if let Some(note) = curve.axis.note {
            y += NOTE_LINE;
            area.draw_text(note, &small, (36, y - 8))?;
        }
        y += LEGEND_LINE;
    }
    for dash in [4, 13, 22] {
        let line = vec![(dash, y), (dash + 6, y)];
        area.draw(&PathElement::new(line, RED.stroke_width(1)))?;
    }
    area.draw_text(
        &format!("goal: at most {GROWTH_MAX} ×"),
        &style,
        (36, y - 8),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::Axis;

    fn curves() -> Vec<Curve> {
        let sizes = [1, 100, 10_000, 1_000_000];
        let rotate = [vec![80.0, 81.0, 84.0, 90.0]];
        let guard = [vec![55.0, 55.0, 56.0, 70.0]];
        vec![
            Curve::of("rotate, families", &sizes, &rotate),
            Curve::of("guard, spent <proofs>", &sizes, &guard),
        ]
    }

    #[test]
    fn every_curve_is_named_and_has_its_points() {
        let svg = svg(&curves()).unwrap();
        assert!(svg.contains("rotate, families"), "{svg}");
        assert!(svg.contains("goal: at most 1.2 ×"));
        assert!(svg.contains("1,000,000"), "the largest size is on its axis");
        // Four points for each curve, and one in its line of the legend.
        assert_eq!(svg.matches("<circle").count(), 2 * 5);
    }

    #[test]
    fn a_note_stands_by_its_curve_and_what_is_not_judged_is_left_out() {
        let axis = Axis {
            name: "guard, by tokens seen",
            judged_from: 64,
            note: Some("at most 32,768 of them are remembered"),
        };
        let svg = svg(&[Curve::of(axis, &[1, 64, 1_000], &[vec![5.0, 10.0, 11.0]])]).unwrap();
        assert!(svg.contains("at most 32,768 of them are remembered"));
        assert_eq!(svg.matches("<circle").count(), 2 + 1);
    }

    #[test]
    fn names_cannot_break_the_file_and_nothing_is_fetched() {
        let svg = svg(&curves()).unwrap();
        assert!(svg.contains("spent &lt;proofs&gt;"));
        assert!(!svg.contains("href") && !svg.contains("@import") && !svg.contains("url("));
    }

    #[test]
    fn nothing_measured_is_no_chart() {
        assert!(svg(&[]).is_err());
        assert!(svg(&[Curve::of("issue, clients", &[1], &[])]).is_err());
    }
}
