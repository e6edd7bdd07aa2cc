//! How a chart looks: a card with its own ground, thin grid, lines that carry their names at their ends.
//!
//! Colours follow the reader's light or dark preference; lines also differ by the shape of their points, for those who
//! do not tell the colours apart.

use std::fmt::Write as _;

use super::{Axis, Chart, Series, scale::Scale};

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 440.0;
/// The field of the lines: what is left of the card when titles, ticks and names have their room.
const LEFT: f64 = 84.0;
const TOP: f64 = 104.0;
const BOTTOM: f64 = HEIGHT - 74.0;
/// Room for a name of a line, by its characters.
const CHARACTER: f64 = 7.2;
const NAME_ROOM: f64 = 22.0;
/// Names of lines keep this distance.
const NAME_STEP: f64 = 33.0;

const STYLE: &str = "
.card{fill:#ffffff;stroke:#d8dde6}
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#1c2330}
.title{font-size:17px;font-weight:650}
.note,.axis,.tick,.value,.machine{fill:#5d6878}
.note{font-size:12.5px}.axis,.tick,.value{font-size:12px}.machine{font-size:10.5px}
.tick,.value{font-variant-numeric:tabular-nums}
.grid{stroke:#e4e8ee}.fine{stroke:#f1f3f7}.base{stroke:#b5bdc9}
.name{font-size:12.5px;font-weight:600}
.line{fill:none;stroke-width:2.25;stroke-linejoin:round;stroke-linecap:round}
.s0{stroke:#2563c9}.s1{stroke:#c2550a}.s2{stroke:#1b7f5a}.s3{stroke:#7d45b8}
.f0{fill:#2563c9}.f1{fill:#c2550a}.f2{fill:#1b7f5a}.f3{fill:#7d45b8}
.dot{stroke:#ffffff;stroke-width:1.5}
@media (prefers-color-scheme:dark){
.card{fill:#161a21;stroke:#2d333e}
text{fill:#e7eaf0}
.note,.axis,.tick,.value,.machine{fill:#98a3b3}
.grid{stroke:#2a303a}.fine{stroke:#1f242c}.base{stroke:#4b5563}
.s0{stroke:#6ea6ff}.s1{stroke:#ff9d57}.s2{stroke:#4fc796}.s3{stroke:#bd94f5}
.f0{fill:#6ea6ff}.f1{fill:#ff9d57}.f2{fill:#4fc796}.f3{fill:#bd94f5}
.dot{stroke:#161a21}
}";

/// The chart as a picture of its own.
pub(super) fn svg(chart: &Chart, machine: &str) -> String {
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{}">"#,
        escaped(&format!("{}: {}", chart.title, chart.note))
    );
    let _ = writeln!(svg, "<style>{STYLE}</style>");
    let _ = writeln!(
        svg,
        r#"<rect class="card" x=".5" y=".5" width="{}" height="{}" rx="10"/>"#,
        WIDTH - 1.0,
        HEIGHT - 1.0
    );
    text(&mut svg, "title", "start", (24.0, 34.0), chart.title);
    text(&mut svg, "note", "start", (24.0, 55.0), &chart.note);
    text(&mut svg, "axis", "start", (24.0, 84.0), chart.y.name);
    text(&mut svg, "machine", "start", (24.0, HEIGHT - 14.0), machine);
    Field::of(chart).draw(&mut svg, chart);
    svg.push_str("</svg>\n");
    svg
}

/// Where values stand in the picture.
struct Field {
    x: Scale,
    y: Scale,
    right: f64,
}

impl Field {
    fn of(chart: &Chart) -> Self {
        let longest = chart
            .series
            .iter()
            .map(|series| series.name.chars().count())
            .max();
        Self {
            x: Scale::tight(chart.x.kind, chart.points().map(|(x, _)| x)),
            y: Scale::rounded(chart.y.kind, chart.points().map(|(_, y)| y)),
            right: WIDTH - NAME_ROOM * 1.5 - CHARACTER * longest.unwrap_or(0) as f64,
        }
    }

    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (
            LEFT + self.x.place(x) * (self.right - LEFT),
            BOTTOM - self.y.place(y) * (BOTTOM - TOP),
        )
    }

    fn draw(&self, svg: &mut String, chart: &Chart) {
        self.grid(svg, &chart.x, &chart.y);
        for (index, series) in chart.series.iter().enumerate() {
            self.line(svg, index, series);
        }
        self.names(svg, chart);
    }

    fn grid(&self, svg: &mut String, x: &Axis, y: &Axis) {
        let across = |svg: &mut String, class, height: f64| {
            let _ = writeln!(
                svg,
                r#"<path class="{class}" d="M{LEFT} {height:.1}H{:.1}"/>"#,
                self.right
            );
        };
        let height = |value: f64| BOTTOM - self.y.place(value) * (BOTTOM - TOP);
        for value in self.y.between() {
            across(svg, "fine", height(value));
        }
        for value in self.y.ticks() {
            across(svg, "grid", height(value));
            text(
                svg,
                "tick",
                "end",
                (LEFT - 10.0, height(value) + 4.0),
                &y.unit.text(value),
            );
        }
        across(svg, "base", BOTTOM);
        for value in self.x.ticks() {
            let place = LEFT + self.x.place(value) * (self.right - LEFT);
            let _ = writeln!(svg, r#"<path class="base" d="M{place:.1} {BOTTOM}v5"/>"#);
            text(svg, "tick", "middle", (place, BOTTOM + 20.0), &x.unit.text(value));
        }
        let middle = f64::midpoint(LEFT, self.right);
        text(svg, "axis", "middle", (middle, BOTTOM + 40.0), x.name);
    }

    fn line(&self, svg: &mut String, index: usize, series: &Series) {
        let places: Vec<_> = series.points.iter().map(|point| self.at(*point)).collect();
        let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        if path.is_empty() {
            return;
        }
        let _ = writeln!(svg, r#"<path class="line s{index}" d="M{}"/>"#, path.join("L"));
        for (x, y) in places {
            let _ = writeln!(
                svg,
                r#"<path class="dot f{index}" transform="translate({x:.1} {y:.1})" d="{}"/>"#,
                shape(index)
            );
        }
    }

    /// The name of each line beside its end, and its last value below; moved apart where they would touch.
    fn names(&self, svg: &mut String, chart: &Chart) {
        let mut ends: Vec<(f64, usize, f64)> = Vec::new();
        for (index, series) in chart.series.iter().enumerate() {
            if let Some(last) = series.points.last() {
                ends.push((self.at(*last).1, index, last.1));
            }
        }
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let heights = apart(&ends.iter().map(|end| end.0).collect::<Vec<_>>(), TOP, BOTTOM);
        for ((_, index, value), height) in ends.into_iter().zip(heights) {
            let place = (self.right + NAME_ROOM / 1.5, height);
            let name = chart.series[index].name;
            text(svg, &format!("name f{index}"), "start", place, name);
            text(
                svg,
                "value",
                "start",
                (place.0, height + 15.0),
                &chart.y.unit.text(value),
            );
        }
    }
}

/// Heights at least a step apart, in the same order and as near to those given as the room allows.
pub(super) fn apart(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut heights = wanted.to_vec();
    for index in 1..heights.len() {
        heights[index] = heights[index].max(heights[index - 1] + NAME_STEP);
    }
    let mut floor = bottom;
    for height in heights.iter_mut().rev() {
        *height = height.min(floor).max(top);
        floor = *height - NAME_STEP;
    }
    heights
}

/// Circle, diamond, square, triangle.
fn shape(index: usize) -> &'static str {
    match index % 4 {
        0 => "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
        1 => "M0 -5.5L5.5 0L0 5.5L-5.5 0z",
        2 => "M-4 -4H4V4H-4z",
        _ => "M0 -5L5 4H-5z",
    }
}

fn text(svg: &mut String, class: &str, anchor: &str, (x, y): (f64, f64), words: &str) {
    let _ = writeln!(
        svg,
        r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{}</text>"#,
        escaped(words)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
