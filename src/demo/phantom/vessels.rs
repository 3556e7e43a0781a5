//! The vessels and airways of the lungs: trees of tapering tubes grown from each hilum.

use super::canvas::Point;
use super::noise;

pub(super) struct Branch {
    pub from: Point,
    pub to: Point,
    pub radius: f32,
    pub radius_end: f32,
    /// A large airway runs beside it.
    pub airway: bool,
}

/// Where a hilum's branches set out to: apex, front, side, back, base.
const TARGETS: [Point; 9] = [
    [62.0, 2.0, 88.0],
    [72.0, -48.0, 42.0],
    [104.0, 10.0, 30.0],
    [74.0, 62.0, 34.0],
    [70.0, -62.0, -30.0],
    [110.0, -8.0, -28.0],
    [98.0, 52.0, -22.0],
    [60.0, 78.0, -72.0],
    [96.0, 30.0, -84.0],
];

/// All branches of one lung; `side` is 1 for the left, -1 for the right.
pub(super) fn tree(seed: u64, side: f32) -> Vec<Branch> {
    let mut random = Random { seed: seed ^ if side > 0.0 { 0x1EF7 } else { 0x4167 }, drawn: 0 };
    let mut out = Vec::new();
    for (at, target) in TARGETS.iter().enumerate() {
        let hilum = [side * 36.0, 8.0 + (at as f32 - 4.0) * 1.5, -2.0 - at as f32 * 1.5];
        let target = [side * target[0], target[1], target[2]];
        grow(&mut random, &mut out, hilum, target, 4.3, 0);
    }
    out
}

fn grow(random: &mut Random, out: &mut Vec<Branch>, from: Point, target: Point, radius: f32, depth: u32) {
    if depth > 7 || radius < 0.45 {
        return;
    }
    let way = [target[0] - from[0], target[1] - from[1], target[2] - from[2]];
    let length = way.iter().map(|d| d * d).sum::<f32>().sqrt().max(1.0);
    let step = (length * 0.34).clamp(5.0, 26.0);
    let mut to = from;
    for axis in 0..3 {
        to[axis] += way[axis] / length * step + random.spread() * step * 0.22;
    }
    let radius_end = radius * 0.84;
    out.push(Branch { from, to, radius, radius_end, airway: depth < 2 });
    // One child goes on towards the target, the others aside.
    grow(random, out, to, target, radius_end * 0.93, depth + 1);
    let sides = if depth < 4 { 2 } else { 1 };
    for _ in 0..sides {
        let reach = (length * 0.75).max(9.0);
        let mut aside = to;
        for axis in 0..3 {
            aside[axis] += way[axis] / length * reach * 0.55 + random.spread() * reach * 0.75;
        }
        grow(random, out, to, aside, radius_end * 0.68, depth + 1);
    }
}

struct Random {
    seed: u64,
    drawn: u64,
}

impl Random {
    /// -1 to 1.
    fn spread(&mut self) -> f32 {
        self.drawn += 1;
        noise::unit(self.seed, self.drawn) * 2.0 - 1.0
    }
}
