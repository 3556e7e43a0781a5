//! Spine, ribs, sternum, shoulder girdle: cortex bright, marrow darker.

use super::anatomy::cage;
use super::canvas::{Canvas, Point};

const CORTEX: f32 = 620.0;
const MARROW: f32 = 230.0;
const CARTILAGE: f32 = 115.0;
/// From one vertebra to the next.
const VERTEBRA: f32 = 24.0;

/// A piece of a rib, front to back.
pub(super) struct Rib {
    from: Point,
    to: Point,
    radius: f32,
    cartilage: bool,
}

/// All ribs in pieces, computed once for the study. A rib leaves the spine, sinks along the chest wall
/// and ends in cartilage, so that a slice cuts many of them obliquely.
pub(super) fn ribs() -> Vec<Rib> {
    const PIECES: u32 = 36;
    let mut out = Vec::new();
    for number in -1_i32..10 {
        let root = 96.0 - number as f32 * VERTEBRA;
        for side in [-1.0_f32, 1.0] {
            let place = |at: u32| -> Point {
                let angle = 0.30 + (at as f32 / PIECES as f32) * 2.45;
                let sink = 64.0 * (1.0 - angle.cos()) / 2.0;
                // The cage is narrow above: a rib's course follows the height at which it runs.
                let z = root - sink;
                let (wide, deep, centre) = cage(z);
                [side * (wide + 4.5) * angle.sin(), centre + (deep + 4.5) * angle.cos(), z]
            };
            for at in 0..PIECES {
                let cartilage = at > 31;
                out.push(Rib { from: place(at), to: place(at + 1), radius: 5.4 - at as f32 * 0.03, cartilage });
            }
        }
    }
    out
}

pub(super) fn paint(canvas: &mut Canvas, ribs: &[Rib]) {
    spine(canvas);
    for (hu, shrink) in [(CORTEX, 0.0), (MARROW, 2.1)] {
        for rib in ribs {
            let hu = if rib.cartilage { CARTILAGE } else { hu };
            canvas.tube(rib.from, rib.to, rib.radius - shrink, rib.radius - shrink, hu);
        }
    }
    sternum(canvas);
    shoulders(canvas);
}

fn bone(canvas: &mut Canvas, a: Point, b: Point, radius: f32) {
    canvas.tube(a, b, radius, radius, CORTEX);
    if radius > 3.0 {
        canvas.tube(a, b, radius - 2.0, radius - 2.0, MARROW);
    }
}

fn spine(canvas: &mut Canvas) {
    let z = canvas.z;
    let number = (z / VERTEBRA).round();
    let middle = number * VERTEBRA;
    let from_middle = z - middle;
    let size = 1.0 - (z + 10.0) * 0.0012;
    // Body with end plates, and the disc between two bodies.
    let body = |canvas: &mut Canvas, grow: f32, hu: f32| {
        let radii = [(17.5 + grow) * size, (14.0 + grow) * size, 1e4];
        canvas.ellipsoid([0.0, 66.0, z], radii, (1.0, 0.0), hu);
    };
    if from_middle.abs() < 9.6 {
        body(canvas, 0.0, CORTEX);
        if from_middle.abs() < 8.2 {
            body(canvas, -1.7, MARROW);
        }
    } else {
        body(canvas, -0.5, 85.0);
    }
    let pedicles = (-9.0..=3.0).contains(&from_middle);
    for side in [-1.0_f32, 1.0] {
        if !pedicles {
            let at = |x: f32, y: f32| [side * x, y, middle + 4.0];
            bone(canvas, at(11.0, 74.0), at(12.5, 90.0), 4.6);
        }
        let at = |x: f32, y: f32, dz: f32| [side * x, y, middle + dz];
        bone(canvas, at(13.0, 88.0, 2.0), at(34.0, 96.0, 4.0), 4.4); // transverse process
        bone(canvas, at(12.5, 92.0, -6.0), at(3.0, 103.0, -9.0), 3.6); // lamina
        bone(canvas, at(12.5, 91.0, 6.0), at(3.0, 103.0, -1.0), 3.6);
    }
    // The spinous process slants down to the level below.
    bone(canvas, [0.0, 103.0, middle - 5.0], [0.0, 121.0, middle - 15.0], 3.8);
    // Canal: fat around the sac, the cord in it.
    canvas.ellipsoid([0.0, 89.0, z], [10.0, 8.5, 1e4], (1.0, 0.0), -30.0);
    canvas.ellipsoid([0.0, 88.6, z], [8.2, 7.0, 1e4], (1.0, 0.0), 18.0);
    canvas.ellipsoid([0.0, 88.8, z], [4.6, 3.8, 1e4], (1.0, 0.0), 42.0);
}

fn sternum(canvas: &mut Canvas) {
    let z = canvas.z;
    if !(-62.0..=72.0).contains(&z) {
        return;
    }
    let (_, deep, centre) = cage(z);
    let y = centre - deep - 5.5;
    let wide = if z > 40.0 { 26.0 } else { 16.5 };
    canvas.ellipsoid([0.0, y, z], [wide, 6.3, 1e4], (1.0, 0.0), CORTEX);
    canvas.ellipsoid([0.0, y, z], [wide - 1.8, 4.5, 1e4], (1.0, 0.0), 150.0);
}

fn shoulders(canvas: &mut Canvas) {
    for side in [-1.0_f32, 1.0] {
        // The blade of the scapula, thin, with its ridge; the glenoid above.
        for step in 0..14 {
            let low = step as f32 / 13.0;
            let z = 112.0 - low * 128.0;
            let (wide, deep, centre) = cage(z.min(40.0));
            let point = |angle: f32, off: f32| -> Point {
                [side * (wide + off) * angle.sin(), centre + (deep + off) * angle.cos(), z]
            };
            let tip = 0.62 + low * 0.12;
            let a = point(tip, 17.0);
            let b = point(1.32 - low * 0.5, 20.0);
            if (canvas.z - z).abs() < 12.0 {
                canvas.tube([a[0], a[1], canvas.z], [b[0], b[1], canvas.z], 1.9, 3.0 - low, CORTEX * 0.85);
                if low < 0.4 {
                    let ridge = point(1.0, 33.0 - low * 20.0);
                    let root = point(0.95, 18.0);
                    canvas.tube([root[0], root[1], canvas.z], [ridge[0], ridge[1], canvas.z], 2.0, 2.6, CORTEX * 0.85);
                }
            }
        }
        bone(canvas, [side * 20.0, -62.0, 78.0], [side * 74.0, -54.0, 98.0], 6.2);
        bone(canvas, [side * 74.0, -54.0, 98.0], [side * 138.0, -8.0, 116.0], 5.8);
    }
}
