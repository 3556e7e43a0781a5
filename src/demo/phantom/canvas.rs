//! One slice being painted: Hounsfield units on a square grid, and shapes with soft edges.
//!
//! Patient coordinates in millimetres: x to the patient's left, y to the back, z to the head. A shape is
//! its signed distance, negative inside; an edge is as soft as a scanner's point spread.

pub(super) type Point = [f32; 3];

/// Millimetres over which an edge goes from outside to inside.
const EDGE: f32 = 1.3;

pub(super) struct Canvas {
    size: usize,
    pitch: f32,
    left: f32,
    top: f32,
    pub z: f32,
    pub hu: Vec<f32>,
}

/// The part of a slice a shape may touch: x from..to, y from..to.
pub(super) type Window = [f32; 4];

impl Canvas {
    /// A square of `field` millimetres around `centre`, filled with air.
    pub fn new(size: usize, field: f32, centre: (f32, f32), z: f32) -> Self {
        let pitch = field / size as f32;
        let half = (field - pitch) / 2.0;
        Self { size, pitch, left: centre.0 - half, top: centre.1 - half, z, hu: vec![-1000.0; size * size] }
    }

    /// Mixes `hu` into every pixel of `window` as far as `distance` says it is inside.
    pub fn paint(&mut self, window: Window, hu: f32, distance: impl Fn(f32, f32) -> f32) {
        self.shade(window, |x, y, _| (distance(x, y), hu));
    }

    /// Like [`Canvas::paint`], with a value of its own at every place; it also sees what was there.
    pub fn shade(&mut self, window: Window, at: impl Fn(f32, f32, f32) -> (f32, f32)) {
        let (columns, rows) = (self.range(window[0], window[1], self.left), self.range(window[2], window[3], self.top));
        for row in rows {
            let y = self.top + row as f32 * self.pitch;
            for column in columns.clone() {
                let x = self.left + column as f32 * self.pitch;
                let pixel = &mut self.hu[row * self.size + column];
                let (distance, hu) = at(x, y, *pixel);
                let inside = (0.5 - distance / EDGE).clamp(0.0, 1.0);
                *pixel += (hu - *pixel) * inside;
            }
        }
    }

    fn range(&self, from: f32, to: f32, origin: f32) -> std::ops::Range<usize> {
        let index = |mm: f32| ((mm - origin) / self.pitch).clamp(0.0, self.size as f32);
        index(from - EDGE) as usize..(index(to + EDGE).ceil() as usize).min(self.size)
    }

    /// An ellipsoid turned by `turn` (cosine, sine) in the slice's plane.
    pub fn ellipsoid(&mut self, centre: Point, radii: Point, turn: (f32, f32), hu: f32) {
        let dz = self.z - centre[2];
        if dz.abs() > radii[2] + EDGE {
            return;
        }
        let reach = radii[0].max(radii[1]);
        let window = [centre[0] - reach, centre[0] + reach, centre[1] - reach, centre[1] + reach];
        self.paint(window, hu, |x, y| ellipsoid([x, y, centre[2] + dz], centre, radii, turn));
    }

    /// A tube from `a` to `b` whose radius goes from `ra` to `rb`, with round ends.
    pub fn tube(&mut self, a: Point, b: Point, ra: f32, rb: f32, hu: f32) {
        self.tube_where(a, b, ra, rb, hu, |_| true);
    }

    /// A tube that shows only where `over` agrees with what was there.
    pub fn tube_where(&mut self, a: Point, b: Point, ra: f32, rb: f32, hu: f32, over: impl Fn(f32) -> bool) {
        let (radius, z) = (ra.max(rb) + EDGE, self.z);
        if z < a[2].min(b[2]) - radius || z > a[2].max(b[2]) + radius {
            return;
        }
        let window =
            [a[0].min(b[0]) - radius, a[0].max(b[0]) + radius, a[1].min(b[1]) - radius, a[1].max(b[1]) + radius];
        self.shade(window, |x, y, was| {
            let distance = if over(was) { tube([x, y, z], a, b, ra, rb) } else { f32::MAX };
            (distance, hu)
        });
    }

    /// The whole slice.
    pub fn everywhere(&self) -> Window {
        let edge = self.pitch * self.size as f32;
        [self.left, self.left + edge, self.top, self.top + edge]
    }
}

pub(super) fn ellipsoid(p: Point, centre: Point, radii: Point, (cos, sin): (f32, f32)) -> f32 {
    let (dx, dy, dz) = (p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]);
    let local = [dx * cos + dy * sin, dy * cos - dx * sin, dz];
    let length = |scale: fn(f32) -> f32| {
        local.iter().zip(radii).map(|(v, r)| (v / scale(r)) * (v / scale(r))).sum::<f32>().sqrt()
    };
    let (k0, k1) = (length(|r| r), length(|r| r * r));
    if k1 > 0.0 { k0 * (k0 - 1.0) / k1 } else { -radii[0].min(radii[1]) }
}

pub(super) fn tube(p: Point, a: Point, b: Point, ra: f32, rb: f32) -> f32 {
    let (mut along, mut length) = (0.0, 0.0);
    for axis in 0..3 {
        along += (p[axis] - a[axis]) * (b[axis] - a[axis]);
        length += (b[axis] - a[axis]) * (b[axis] - a[axis]);
    }
    let t = if length > 0.0 { (along / length).clamp(0.0, 1.0) } else { 0.0 };
    let square: f32 = (0..3).map(|axis| (p[axis] - a[axis] - t * (b[axis] - a[axis])).powi(2)).sum();
    square.sqrt() - (ra + (rb - ra) * t)
}

/// Joins two shapes with a rounded seam of about `k` millimetres.
pub(super) fn smooth_max(a: f32, b: f32, k: f32) -> f32 {
    let h = (0.5 + 0.5 * (a - b) / k).clamp(0.0, 1.0);
    b + (a - b) * h + k * h * (1.0 - h)
}
