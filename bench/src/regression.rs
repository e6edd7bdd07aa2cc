//! A straight line through samples.

/// By how much y grows for each unit of x, by least squares; zero where that cannot be said.
pub(crate) fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (sum_x, sum_y) = points
        .iter()
        .fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (mut both, mut square) = (0.0, 0.0);
    for (x, y) in points {
        both += (x - mean_x) * (y - mean_y);
        square += (x - mean_x) * (x - mean_x);
    }
    if square > 0.0 { both / square } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn a_line_is_found_again_wherever_it_stands() {
        let line = |from: f64| (0..50).map(move |x| (from + f64::from(x), 70.0 - 0.25 * f64::from(x)));
        assert!(near(slope(&line(0.0).collect::<Vec<_>>()), -0.25));
        assert!(near(slope(&line(1e4).collect::<Vec<_>>()), -0.25));
    }

    #[test]
    fn what_only_goes_up_and_down_has_no_slope() {
        let wave: Vec<_> = (0..9)
            .map(|x| (f64::from(x), f64::from((x - 4_i32).abs() % 2)))
            .collect();
        assert!(near(slope(&wave), 0.0));
    }

    #[test]
    fn too_few_samples_have_no_slope() {
        assert!(near(slope(&[]), 0.0));
        assert!(near(slope(&[(1.0, 5.0)]), 0.0));
        assert!(near(slope(&[(1.0, 5.0), (1.0, 9.0)]), 0.0));
    }
}
