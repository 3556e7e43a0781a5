//! The chest from outside to inside: skin, fat, muscle, lungs, heart and great vessels, upper abdomen.

use super::canvas::{Canvas, Point, ellipsoid, smooth_max};
use super::noise::texture;
use super::skeleton::{self, Rib};
use super::vessels::Branch;

const FAT: f32 = -102.0;
const MUSCLE: f32 = 58.0;
const LUNG: f32 = -868.0;
const BLOOD: f32 = 52.0;
/// Contrast medium: where it comes from, where it has been, where it goes to.
const VEIN: f32 = 205.0;
const ARTERY: f32 = 222.0;
const AORTA: f32 = 188.0;

/// What is the same for every slice.
pub(super) struct Body {
    pub seed: u64,
    pub ribs: Vec<Rib>,
    pub vessels: Vec<Branch>,
}

/// Inner half width, half depth and centre of the rib cage at a height.
pub(super) fn cage(z: f32) -> (f32, f32, f32) {
    let above = ((z - 5.0) / 128.0).clamp(0.0, 0.985);
    let shape = (1.0 - above * above).sqrt();
    (48.0 + 84.0 * shape, 40.0 + 48.0 * shape, 4.0 + 10.0 * (1.0 - shape))
}

/// Paints one slice, from the couch to the finest vessel.
pub(super) fn paint(canvas: &mut Canvas, body: &Body) {
    couch(canvas);
    wall(canvas, body.seed);
    mediastinum(canvas);
    lungs(canvas, body.seed);
    abdomen(canvas, body.seed);
    trees(canvas, &body.vessels);
    heart(canvas);
    great_vessels(canvas);
    airways(canvas);
    skeleton::paint(canvas, &body.ribs);
}

fn couch(canvas: &mut Canvas) {
    // A shallow trough: the lower arc of a large circle, its shell brighter than its foam.
    let arc = |x: f32, y: f32| ((x * x + (y + 372.0) * (y + 372.0)).sqrt() - 518.0).abs().max(x.abs() - 205.0);
    canvas.paint(canvas.everywhere(), -880.0, |x, y| arc(x, y) - 7.0);
    canvas.paint(canvas.everywhere(), -690.0, |x, y| {
        let radius = (x * x + (y + 372.0) * (y + 372.0)).sqrt() - 518.0;
        ((radius.abs() - 6.4).abs() - 0.6).max(x.abs() - 205.0)
    });
}

/// Outline of the trunk: wider at the shoulders, with a furrow along the spine and a flat chest.
fn outline(x: f32, y: f32, z: f32) -> f32 {
    let rise = ((z - 40.0) / 80.0).clamp(0.0, 1.0);
    let (wide, deep) = (170.0 + 17.0 * rise * rise, 117.0 - 9.0 * rise);
    let (u, v) = ((x / wide).abs(), ((y - 13.0) / deep).abs());
    let power = (u.powf(2.45) + v.powf(2.45)).powf(1.0 / 2.45);
    let furrow = 5.0 * (1.0 - (x / 22.0).abs()).max(0.0) * if y > 0.0 { 1.0 } else { 0.5 };
    (power - 1.0) * wide.min(deep) + furrow
}

fn wall(canvas: &mut Canvas, seed: u64) {
    let z = canvas.z;
    let whole = canvas.everywhere();
    let (wide, deep, centre) = cage(z);
    canvas.shade(whole, |x, y, _| {
        // What lies well inside the ribs is painted over, what lies far outside is air: no texture there.
        if (x / (wide - 4.0)).powi(2) + ((y - centre) / (deep - 4.0)).powi(2) < 1.0 {
            return (-9.0, MUSCLE);
        }
        let depth = if x.abs() > 190.0 || (y - 13.0).abs() > 120.0 { -9.0 } else { -outline(x, y, z) };
        if depth < -2.0 {
            return (9.0, 0.0);
        }
        // Skin, then fat that is thicker at the flanks and in front.
        let fat =
            12.0 + 6.0 * (x / 165.0).abs() + 5.0 * (-y / 110.0).max(0.0) + 2.0 * texture(seed, x / 40.0, y / 40.0, 0.0);
        let hu = if depth < 1.9 {
            -5.0
        } else if depth < fat {
            FAT + 9.0 * texture(seed ^ 1, x / 7.0, y / 7.0, z / 9.0)
        } else {
            // Muscle in bellies, parted by fat planes that run along the wall.
            let plane = texture(seed ^ 2, x / 34.0, y / 26.0, z / 60.0) * 9.0;
            let between = ((depth - fat - 13.0 + plane).abs() - 1.1).min((depth - fat - 25.0 - plane).abs() - 0.9);
            let strands = 10.0 * texture(seed ^ 3, x / 9.0, y / 9.0, z / 30.0);
            let soft = (0.5 - between / 2.4).clamp(0.0, 1.0);
            (MUSCLE + strands) * (1.0 - soft) + FAT * soft
        };
        (-depth, hu)
    });
    // The erectors beside the spine, each in its sheath.
    for side in [-1.0_f32, 1.0] {
        let centre = [side * 30.0, 104.0, z];
        canvas.ellipsoid(centre, [24.0, 14.5, 1e4], (0.97, side * 0.24), FAT);
        canvas.ellipsoid(centre, [22.6, 13.0, 1e4], (0.97, side * 0.24), MUSCLE);
    }
}

/// Everything inside the ribs begins as fat.
fn mediastinum(canvas: &mut Canvas) {
    let z = canvas.z;
    let (wide, deep, centre) = cage(z);
    canvas.ellipsoid([0.0, centre, z], [wide + 0.5, deep + 0.5, 1e4], (1.0, 0.0), MUSCLE);
    canvas.ellipsoid([0.0, centre, z], [wide - 2.2, deep - 2.2, 1e4], (1.0, 0.0), FAT);
}

/// Distance to the dome of the diaphragm on one side: negative above it.
fn diaphragm(x: f32, y: f32, z: f32) -> f32 {
    let (top, middle) = if x < 0.0 { (-70.0, -64.0) } else { (-84.0, 66.0) };
    let (dx, dy) = ((x - middle) / 62.0, (y + 6.0) / 84.0);
    let height = top - 27.0 * dx * dx - 44.0 * dy * dy;
    (height - z) * 0.75
}

/// Distance to a lung: inside the cage, off the midline, above the diaphragm.
fn lung(x: f32, y: f32, z: f32) -> f32 {
    let (wide, deep, centre) = cage(z);
    if (x / wide).powi(2) + ((y - centre) / deep).powi(2) > 1.0 {
        return 9.0;
    }
    let inside = ellipsoid([x, y, 0.0], [0.0, centre, 0.0], [wide - 3.2, deep - 3.2, 1e4], (1.0, 0.0));
    // The midline: narrow in front and beside the spine, wide at the hila.
    let waist = 1.0 - ((y - 8.0) / 62.0).powi(2);
    let high = ((z - 30.0) / 80.0).clamp(0.0, 1.0);
    let middle = 9.0 + (25.0 - 4.0 * high) * waist.max(0.0);
    let spine = ellipsoid([x, y, 0.0], [0.0, 68.0, 0.0], [22.5, 22.0, 1e4], (1.0, 0.0));
    let off = smooth_max(middle - x.abs(), -spine, 10.0);
    smooth_max(smooth_max(inside, off, 12.0), diaphragm(x, y, z), 6.0)
}

fn lungs(canvas: &mut Canvas, seed: u64) {
    let z = canvas.z;
    canvas.shade(canvas.everywhere(), |x, y, _| {
        let distance = lung(x, y, z);
        if distance > 3.0 {
            return (distance, 0.0);
        }
        // Denser towards the back, where a lying patient's blood is.
        let gravity = 42.0 * ((y + 20.0) / 100.0).clamp(-0.6, 1.0);
        let grain = 20.0 * texture(seed ^ 4, x / 3.1, y / 3.1, z / 3.1)
            + 13.0 * texture(seed ^ 5, x / 15.0, y / 15.0, z / 15.0);
        // The fissures: oblique on both sides, horizontal on the right.
        let oblique = (y - 20.0 + z * 0.62 - 3.0 * (x / 60.0)).abs();
        let horizontal = if x < 0.0 && y < 18.0 - z * 0.62 { (z - 8.0 + 0.12 * y + 0.04 * x).abs() * 1.6 } else { 9.0 };
        let fissure = 75.0 * (1.0 - oblique.min(horizontal) / 1.5).max(0.0);
        (distance, LUNG + gravity + grain + fissure)
    });
}

fn abdomen(canvas: &mut Canvas, seed: u64) {
    let z = canvas.z;
    if z > -60.0 {
        return;
    }
    let (wide, deep, centre) = cage(z);
    let window = [-wide, wide, centre - deep, centre + deep];
    let left = [0.0, wide, centre - deep, centre + deep];
    let inside = move |x: f32, y: f32| {
        let cage = ellipsoid([x, y, 0.0], [0.0, centre, 0.0], [wide - 3.8, deep - 3.8, 1e4], (1.0, 0.0));
        let spine = ellipsoid([x, y, 0.0], [0.0, 68.0, 0.0], [25.0, 26.0, 1e4], (1.0, 0.0));
        smooth_max(cage, -spine, 6.0)
    };
    let below = move |x: f32, y: f32| smooth_max(inside(x, y), 2.6 - diaphragm(x, y, z), 4.0);
    // The left side under its dome is fat, spleen and stomach; the liver fills the right one.
    canvas.shade(window, |x, y, _| {
        (smooth_max(below(x, y), -x, 4.0), FAT + 8.0 * texture(seed ^ 6, x / 9.0, y / 9.0, z / 9.0))
    });
    let spleen = |x: f32, y: f32| {
        let organ = ellipsoid([x, y, z], [92.0, 44.0, -122.0], [30.0, 44.0, 34.0], (0.93, 0.36));
        smooth_max(organ, below(x, y), 4.0)
    };
    canvas.shade(left, |x, y, _| (spleen(x, y), 132.0 + 7.0 * texture(seed ^ 7, x / 6.0, y / 6.0, z / 6.0)));
    for (shrink, hu) in [(0.0, 62.0), (4.2, 16.0)] {
        canvas.paint(left, hu, |x, y| {
            let wall = ellipsoid(
                [x, y, z],
                [62.0, -22.0, -126.0],
                [40.0 - shrink, 34.0 - shrink, 36.0 - shrink],
                (0.9, -0.43),
            );
            smooth_max(wall, below(x, y) + shrink, 4.0)
        });
    }
    // Air rises to the front of the stomach.
    canvas.paint(left, -930.0, |x, y| {
        let lumen = ellipsoid([x, y, z], [62.0, -22.0, -126.0], [35.5, 29.5, 31.5], (0.9, -0.43));
        smooth_max(lumen.max(below(x, y) + 4.6), y + 27.0, 0.5)
    });
    let liver = move |x: f32, y: f32| {
        // The left lobe thins out across the midline, in front.
        let edge = (x - 44.0) * 0.8 + (y + 30.0) * 0.55;
        let back = (x + 8.0) * 0.7 + (y - 42.0) * 0.8;
        let dome =
            if x < 0.0 { below(x, y) } else { smooth_max(inside(x, y), 4.0 - diaphragm(-x, y, z) + x * 0.12, 4.0) };
        smooth_max(smooth_max(dome, edge, 14.0), back.max(-40.0), 18.0)
    };
    canvas.shade(window, |x, y, _| (liver(x, y), 112.0 + 8.0 * texture(seed ^ 8, x / 6.0, y / 6.0, z / 6.0)));
    for (a, b, radius) in [
        ([-34.0, 24.0, -96.0], [-92.0, 2.0, -86.0], 4.2),
        ([-34.0, 24.0, -96.0], [-66.0, -42.0, -92.0], 4.0),
        ([-34.0, 24.0, -96.0], [-8.0, -40.0, -96.0], 3.4),
        ([-72.0, 40.0, -118.0], [-40.0, -30.0, -116.0], 4.4),
        ([-72.0, 40.0, -118.0], [-104.0, 0.0, -112.0], 3.2),
    ] {
        canvas.tube_where(a, b, radius, radius * 0.4, 172.0, |was| (60.0..190.0).contains(&was));
    }
    canvas.tube([-26.0, 28.0, -140.0], [-24.0, 22.0, -58.0], 12.0, 12.0, 140.0); // inferior vena cava
}

fn trees(canvas: &mut Canvas, vessels: &[Branch]) {
    let lung_only = |was: f32| was < -600.0;
    for branch in vessels {
        canvas.tube_where(branch.from, branch.to, branch.radius, branch.radius_end, BLOOD + 60.0, lung_only);
    }
    for branch in vessels.iter().filter(|branch| branch.airway) {
        let beside = |p: Point| [p[0], p[1] - 5.5, p[2] + 3.0];
        let (from, to) = (beside(branch.from), beside(branch.to));
        let radius = branch.radius * 0.8;
        canvas.tube_where(from, to, radius + 1.1, radius * 0.85 + 1.0, -40.0, lung_only);
        canvas.tube(from, to, radius - 0.5, radius * 0.85 - 0.5, -985.0);
    }
}

fn heart(canvas: &mut Canvas) {
    let turn = (0.80, 0.60);
    let part = |canvas: &mut Canvas, centre: Point, radii: Point, turn, hu| canvas.ellipsoid(centre, radii, turn, hu);
    // Pericardial fat, muscle, then the four chambers.
    part(canvas, [16.0, -16.0, -50.0], [68.0, 53.0, 54.0], turn, FAT + 6.0);
    part(canvas, [16.0, -16.0, -50.0], [66.0, 50.8, 51.5], turn, 30.0);
    part(canvas, [16.0, -16.0, -50.0], [64.8, 49.6, 50.3], turn, FAT + 4.0);
    part(canvas, [40.0, -6.0, -56.0], [44.0, 33.0, 40.0], (0.86, 0.51), 118.0);
    part(canvas, [8.0, -36.0, -54.0], [50.0, 25.0, 40.0], (0.93, 0.37), 112.0);
    part(canvas, [-30.0, -12.0, -42.0], [23.0, 30.0, 33.0], (0.98, 0.17), 110.0);
    part(canvas, [4.0, 22.0, -30.0], [36.0, 19.0, 25.0], (0.99, -0.10), 112.0);
    part(canvas, [42.0, -3.0, -54.0], [33.0, 19.5, 29.0], (0.86, 0.51), AORTA);
    part(canvas, [6.0, -37.0, -52.0], [45.0, 20.5, 35.0], (0.93, 0.37), VEIN - 25.0);
    part(canvas, [-30.5, -12.0, -42.0], [20.5, 27.5, 30.0], (0.98, 0.17), VEIN - 12.0);
    part(canvas, [4.0, 22.0, -30.0], [33.5, 16.8, 22.5], (0.99, -0.10), AORTA + 22.0);
    // Papillary muscles and trabeculae keep the chambers from looking drawn.
    for (centre, radius) in [([52.0, 6.0, -60.0], 4.6), ([48.0, -14.0, -58.0], 4.2), ([14.0, -40.0, -60.0], 3.4)] {
        part(canvas, centre, [radius, radius, 15.0], (1.0, 0.0), 130.0);
    }
    // The pulmonary veins enter the left atrium.
    for (side, z) in [(-1.0_f32, -22.0), (1.0, -22.0), (-1.0, -38.0), (1.0, -38.0)] {
        canvas.tube([side * 30.0 + 4.0, 24.0, z], [side * 52.0, 32.0, z - 2.0], 6.5, 5.2, AORTA + 20.0);
    }
}

fn great_vessels(canvas: &mut Canvas) {
    let mut vessel = |hu: f32, course: &[(Point, f32)]| {
        // The wall first, so that joints stay open.
        for (grow, hu) in [(1.3, 55.0), (0.0, hu)] {
            for pair in course.windows(2) {
                if let [(a, ra), (b, rb)] = pair {
                    canvas.tube(*a, *b, ra + grow, rb + grow, hu);
                }
            }
        }
    };
    vessel(VEIN + 40.0, &[([-33.0, -18.0, -30.0], 10.0), ([-31.0, -16.0, 18.0], 9.5), ([-29.0, -18.0, 58.0], 9.0)]);
    vessel(VEIN + 20.0, &[([-29.0, -18.0, 58.0], 8.5), ([-34.0, -22.0, 84.0], 8.0), ([-46.0, -28.0, 112.0], 7.0)]);
    vessel(
        VEIN,
        &[
            ([-27.0, -20.0, 54.0], 7.0),
            ([4.0, -36.0, 60.0], 7.0),
            ([30.0, -28.0, 78.0], 6.8),
            ([44.0, -26.0, 110.0], 6.5),
        ],
    );
    vessel(
        AORTA,
        &[
            ([4.0, -20.0, -36.0], 14.5),
            ([-10.0, -22.0, -14.0], 15.5),
            ([-13.0, -20.0, 14.0], 15.0),
            ([-8.0, -12.0, 32.0], 14.2),
            ([4.0, 4.0, 40.0], 13.6),
            ([16.0, 24.0, 38.0], 13.0),
            ([23.0, 38.0, 26.0], 12.6),
            ([26.0, 45.0, 0.0], 12.2),
            ([24.0, 46.0, -70.0], 11.6),
            ([14.0, 42.0, -140.0], 11.0),
        ],
    );
    vessel(AORTA, &[([-8.0, -10.0, 40.0], 7.0), ([-16.0, -6.0, 72.0], 6.6), ([-22.0, -2.0, 112.0], 5.6)]);
    vessel(AORTA, &[([4.0, 2.0, 44.0], 5.0), ([12.0, 0.0, 76.0], 4.6), ([20.0, -2.0, 112.0], 4.4)]);
    vessel(AORTA, &[([13.0, 18.0, 44.0], 5.6), ([24.0, 16.0, 78.0], 5.4), ([44.0, 6.0, 112.0], 5.0)]);
    vessel(ARTERY, &[([12.0, -40.0, -34.0], 14.0), ([18.0, -34.0, -8.0], 14.0), ([16.0, -14.0, 6.0], 13.0)]);
    vessel(
        ARTERY,
        &[
            ([16.0, -14.0, 6.0], 12.0),
            ([-12.0, 2.0, 2.0], 10.8),
            ([-38.0, 8.0, -6.0], 9.6),
            ([-46.0, 14.0, -26.0], 7.5),
        ],
    );
    vessel(
        ARTERY,
        &[([16.0, -14.0, 6.0], 12.0), ([32.0, 6.0, 8.0], 10.2), ([42.0, 18.0, -2.0], 9.2), ([46.0, 24.0, -24.0], 7.2)],
    );
    vessel(
        60.0,
        &[([6.0, 38.0, 120.0], 5.4), ([8.0, 42.0, 20.0], 6.2), ([4.0, 38.0, -60.0], 6.6), ([16.0, 24.0, -130.0], 7.0)],
    );
    canvas.tube([6.5, 38.5, 120.0], [8.0, 42.0, 30.0], 1.5, 1.2, -650.0); // a little air in the oesophagus
    canvas.tube([-9.0, 47.0, -130.0], [-9.0, 46.0, 10.0], 3.2, 3.4, 190.0); // azygos vein
    for node in [[-14.0, 4.0, 26.0], [0.0, -34.0, 36.0], [18.0, -22.0, 26.0], [-4.0, 20.0, -2.0], [26.0, 6.0, 24.0]] {
        canvas.ellipsoid(node, [4.0, 3.0, 4.0], (0.9, 0.43), 72.0);
    }
}

fn airways(canvas: &mut Canvas) {
    const COURSE: [(Point, Point, f32, f32); 5] = [
        ([-2.0, 20.0, 140.0], [-4.0, 22.0, 24.0], 8.6, 8.4),
        ([-4.0, 22.0, 24.0], [-32.0, 24.0, 0.0], 7.2, 6.4),
        ([-4.0, 22.0, 24.0], [34.0, 27.0, -4.0], 6.6, 5.8),
        ([-32.0, 24.0, 0.0], [-46.0, 26.0, -30.0], 5.2, 4.0),
        ([34.0, 27.0, -4.0], [46.0, 34.0, -32.0], 5.0, 3.8),
    ];
    for (grow, hu) in [(1.7, 45.0), (0.0, -992.0)] {
        for (a, b, ra, rb) in COURSE {
            canvas.tube(a, b, ra + grow, rb + grow, hu);
        }
    }
}
