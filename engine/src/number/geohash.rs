//! Positions on the globe as 52-bit interleaved integers, as Redis keeps them in scores.
//!
//! Latitude takes the even bits, longitude the odd ones, 26 each. Positions are in degrees, distances in metres on a sphere.

pub const LATITUDE_MAX: f64 = 85.051_128_78;
pub const LONGITUDE_MAX: f64 = 180.0;
const STEPS: u32 = 26;
const EARTH_RADIUS_M: f64 = 6_372_797.560_856;
const MERCATOR_MAX_M: f64 = 20_037_726.37;
const EVEN: u64 = 0x5555_5555_5555_5555;
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// Longitude and latitude, degrees.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Position {
    pub longitude: f64,
    pub latitude: f64,
}

impl Position {
    /// True where the index can hold it.
    pub fn is_valid(self) -> bool {
        (-LONGITUDE_MAX..=LONGITUDE_MAX).contains(&self.longitude)
            && (-LATITUDE_MAX..=LATITUDE_MAX).contains(&self.latitude)
    }

    /// The score of a position.
    pub fn score(self) -> f64 {
        Cell::of(self, STEPS, LATITUDE_MAX).bits as f64
    }

    /// The position of a score: the middle of its cell.
    pub fn of_score(score: f64) -> Position {
        let (west, south, east, north) = Cell { bits: bits_of(score), step: STEPS }.bounds();
        Position {
            longitude: ((west + east) / 2.0).clamp(-LONGITUDE_MAX, LONGITUDE_MAX),
            latitude: ((south + north) / 2.0).clamp(-LATITUDE_MAX, LATITUDE_MAX),
        }
    }

    /// The eleven characters of the geohash text, the last of them padding.
    pub fn text(self) -> [u8; 11] {
        let bits = Cell::of(self, STEPS, 90.0).bits;
        std::array::from_fn(|i| match i {
            10 => ALPHABET[0],
            _ => ALPHABET[(bits >> (52 - (i + 1) * 5) & 31) as usize],
        })
    }

    /// Metres between two positions.
    pub fn distance(self, other: Position) -> f64 {
        let v = ((other.longitude.to_radians() - self.longitude.to_radians()) / 2.0).sin();
        if v == 0.0 {
            return self.latitude_distance(other);
        }
        let (a, b) = (self.latitude.to_radians(), other.latitude.to_radians());
        let u = ((b - a) / 2.0).sin();
        2.0 * EARTH_RADIUS_M * (u * u + a.cos() * b.cos() * v * v).sqrt().asin()
    }

    fn latitude_distance(self, other: Position) -> f64 {
        EARTH_RADIUS_M * (other.latitude.to_radians() - self.latitude.to_radians()).abs()
    }
}

/// What is searched, in metres.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
}

impl Shape {
    /// The distance from the centre of a position within it.
    pub fn within(self, centre: Position, at: Position) -> Option<f64> {
        let inside = match self {
            Shape::Circle { radius } => {
                return Some(centre.distance(at)).filter(|distance| *distance <= radius);
            }
            Shape::Box { width, height } => {
                let along = Position { longitude: centre.longitude, ..at };
                centre.latitude_distance(at) <= height / 2.0 && along.distance(at) <= width / 2.0
            }
        };
        inside.then(|| centre.distance(at))
    }

    fn reach(self) -> f64 {
        match self {
            Shape::Circle { radius } => radius,
            Shape::Box { width, height } => (width / 2.0).hypot(height / 2.0),
        }
    }

    /// West, south, east, north.
    fn bounds(self, centre: Position) -> (f64, f64, f64, f64) {
        let (width, height) = match self {
            Shape::Circle { radius } => (radius, radius),
            Shape::Box { width, height } => (width / 2.0, height / 2.0),
        };
        let (longitude, latitude) = (centre.longitude, centre.latitude);
        let up = (height / EARTH_RADIUS_M).to_degrees();
        let nearer_pole = if latitude < 0.0 { latitude - up } else { latitude + up };
        let aside = (width / EARTH_RADIUS_M / nearer_pole.to_radians().cos()).to_degrees();
        (longitude - aside, latitude - up, longitude + aside, latitude + up)
    }

    /// Ranges of scores, from and up to, that hold everything within; in the order in which Redis looks at them.
    pub fn ranges(self, centre: Position) -> Vec<(f64, f64)> {
        let (west, south, east, north) = self.bounds(centre);
        let mut step = steps(self.reach(), centre.latitude);
        let mut cell = Cell::of(centre, step, LATITUDE_MAX);
        let reaches = |cell: Cell| {
            let (at_north, at_south) = (cell.moved(0, 1).bounds(), cell.moved(0, -1).bounds());
            let (at_east, at_west) = (cell.moved(1, 0).bounds(), cell.moved(-1, 0).bounds());
            at_north.3 >= north && at_south.1 <= south && at_east.2 >= east && at_west.0 <= west
        };
        if step > 1 && !reaches(cell) {
            step -= 1;
            cell = Cell::of(centre, step, LATITUDE_MAX);
        }
        let (cell_west, cell_south, cell_east, cell_north) = cell.bounds();
        let useless = |x: i32, y: i32| {
            step >= 2
                && (cell_south < south && y < 0
                    || cell_north > north && y > 0
                    || cell_west < west && x < 0
                    || cell_east > east && x > 0)
        };
        let around = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let mut out: Vec<(f64, f64)> = Vec::with_capacity(around.len());
        for (x, y) in around.into_iter().filter(|(x, y)| !useless(*x, *y)) {
            let near = cell.moved(x, 0).moved(0, y);
            let shift = 52 - 2 * near.step;
            let range = ((near.bits << shift) as f64, ((near.bits + 1) << shift) as f64);
            // Large areas meet themselves on the other side.
            if !out.contains(&range) {
                out.push(range);
            }
        }
        out
    }
}

fn steps(mut reach_m: f64, latitude: f64) -> u32 {
    if reach_m == 0.0 {
        return STEPS;
    }
    let mut step = 1i32;
    while reach_m < MERCATOR_MAX_M {
        reach_m *= 2.0;
        step += 1;
    }
    step -= 2;
    // Cells are narrower towards the poles.
    step -= i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    step.clamp(1, STEPS as i32) as u32
}

/// A cell of the grid of 2^step by 2^step.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Cell {
    bits: u64,
    step: u32,
}

impl Cell {
    fn of(at: Position, step: u32, latitude_max: f64) -> Cell {
        let part = |value: f64, max: f64| ((value + max) / (2.0 * max) * f64::from(1u32 << step)) as u32;
        let (y, x) = (part(at.latitude, latitude_max), part(at.longitude, LONGITUDE_MAX));
        Cell { bits: spread(y) | spread(x) << 1, step }
    }

    /// West, south, east, north.
    fn bounds(self) -> (f64, f64, f64, f64) {
        let (y, x) = (gather(self.bits), gather(self.bits >> 1));
        let cells = f64::from(1u32 << self.step);
        let at = |n: f64, max: f64| -max + n / cells * (2.0 * max);
        let (east, north) = (f64::from(x.wrapping_add(1)), f64::from(y.wrapping_add(1)));
        let (x, y) = (f64::from(x), f64::from(y));
        (at(x, LONGITUDE_MAX), at(y, LATITUDE_MAX), at(east, LONGITUDE_MAX), at(north, LATITUDE_MAX))
    }

    /// The cell so many to the east and to the north; the grid is round in both directions.
    fn moved(self, x: i32, y: i32) -> Cell {
        let last = (1u64 << self.step) - 1;
        let shifted = |n: u32, by: i32| ((i64::from(n) + i64::from(by)) as u64 & last) as u32;
        let (south, west) = (shifted(gather(self.bits), y), shifted(gather(self.bits >> 1), x));
        Cell { bits: spread(south) | spread(west) << 1, step: self.step }
    }
}

/// A score as an integer, as x86-64 converts one that fits: what does not is the least integer.
pub fn integer_of(score: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&score) { score as i64 } else { i64::MIN }
}

/// The bits of a score that need not be a position: those that Redis sees in it on x86-64.
fn bits_of(score: f64) -> u64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if score < LIMIT { integer_of(score) as u64 } else { integer_of(score - LIMIT) as u64 ^ 1 << 63 }
}

/// The bits of a number on even places.
fn spread(n: u32) -> u64 {
    let mut n = u64::from(n);
    n = (n | n << 16) & 0x0000_ffff_0000_ffff;
    n = (n | n << 8) & 0x00ff_00ff_00ff_00ff;
    n = (n | n << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    n = (n | n << 2) & 0x3333_3333_3333_3333;
    (n | n << 1) & EVEN
}

/// The number on the even places.
fn gather(bits: u64) -> u32 {
    let mut n = bits & EVEN;
    n = (n | n >> 1) & 0x3333_3333_3333_3333;
    n = (n | n >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    n = (n | n >> 4) & 0x00ff_00ff_00ff_00ff;
    n = (n | n >> 8) & 0x0000_ffff_0000_ffff;
    (n | n >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const PALERMO: Position = Position { longitude: 13.361389, latitude: 38.115556 };
    const CATANIA: Position = Position { longitude: 15.087269, latitude: 37.502669 };

    #[test]
    fn scores_that_are_no_positions_are_read_as_redis_reads_them() {
        assert_eq!([-1.0, f64::INFINITY, f64::NEG_INFINITY].map(bits_of), [u64::MAX, 0, 1 << 63]);
        assert_eq!(integer_of(f64::INFINITY), i64::MIN);
        let corner = Position { longitude: LONGITUDE_MAX, latitude: LATITUDE_MAX };
        assert_eq!(Position::of_score(-1.0), corner);
    }

    #[test]
    fn known_places_have_their_scores_and_texts() {
        assert_eq!(PALERMO.score(), 3479099956230698.0);
        assert_eq!(&Position::of_score(PALERMO.score()).text(), b"sqc8b49rny0");
        let distance = Position::of_score(PALERMO.score()).distance(Position::of_score(CATANIA.score()));
        assert!((distance - 166274.1516).abs() < 0.0001, "{distance}");
    }

    #[test]
    fn everything_within_a_shape_lies_in_its_ranges() {
        let mut state = 7u64;
        let mut unit = move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        for _ in 0..3000 {
            let at = |x: f64, y: f64| Position {
                longitude: (x - 0.5) * 360.0,
                latitude: (y - 0.5) * 2.0 * LATITUDE_MAX,
            };
            let centre = at(unit(), unit());
            let size = 10f64.powf(unit() * 6.5);
            let shape = if unit() < 0.5 {
                Shape::Circle { radius: size }
            } else {
                Shape::Box { width: size, height: size * unit() }
            };
            let angle = unit() * 6.3;
            let near = Position {
                longitude: centre.longitude + (size / 111_000.0) * angle.cos() * unit(),
                latitude: centre.latitude + (size / 111_000.0) * angle.sin() * unit(),
            };
            if near.is_valid() && shape.within(centre, near).is_some() {
                let score = near.score();
                let ranges = shape.ranges(centre);
                assert!(
                    ranges.iter().any(|(from, to)| (*from..*to).contains(&score)),
                    "{centre:?} {shape:?} {near:?}"
                );
            }
        }
    }
}
