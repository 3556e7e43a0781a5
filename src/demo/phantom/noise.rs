//! Noise and texture from integer hashes: no random source, no clock.

/// A hash of a place, from SplitMix64's finaliser.
pub(super) fn hash(seed: u64, place: u64) -> u64 {
    let mut z = seed.wrapping_add(place.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// 0 to 1.
pub(super) fn unit(seed: u64, place: u64) -> f32 {
    (hash(seed, place) >> 40) as f32 / (1_u64 << 24) as f32
}

/// Nearly Gaussian, mean 0, deviation 1: the sum of eight bytes of a hash.
fn gaussian(seed: u64, place: u64) -> f32 {
    let sum: u32 = hash(seed, place).to_le_bytes().iter().map(|byte| u32::from(*byte)).sum();
    (sum as f32 - 1020.0) / 209.0
}

/// Adds the grain of a soft reconstruction kernel: white noise smoothed over three pixels.
pub(super) fn add_grain(hu: &mut [f32], size: usize, seed: u64, deviation: f32) {
    let white = |row: usize| -> Vec<f32> { (0..size).map(|x| gaussian(seed, (row * size + x) as u64)).collect() };
    let across = |row: Vec<f32>| -> Vec<f32> {
        (0..size).map(|x| row[x.saturating_sub(1)] + 2.0 * row[x] + row[(x + 1).min(size - 1)]).collect()
    };
    let (mut above, mut here) = (across(white(0)), across(white(0)));
    for (row, line) in hu.chunks_exact_mut(size).enumerate() {
        let below = across(white((row + 1).min(size - 1)));
        for (x, pixel) in line.iter_mut().enumerate() {
            // The kernel 1 2 1 in both directions leaves 6/16 of the deviation.
            *pixel += (above[x] + 2.0 * here[x] + below[x]) / 6.0 * deviation;
        }
        above = std::mem::replace(&mut here, below);
    }
}

/// Smooth texture with features of about one unit, -1 to 1.
pub(super) fn texture(seed: u64, x: f32, y: f32, z: f32) -> f32 {
    let (fx, fy, fz) = (x.floor(), y.floor(), z.floor());
    let fade = |t: f32| t * t * (3.0 - 2.0 * t);
    let (tx, ty, tz) = (fade(x - fx), fade(y - fy), fade(z - fz));
    let corner = |dx: i64, dy: i64, dz: i64| {
        let place = (fx as i64 + dx + 4096) << 40 | (fy as i64 + dy + 4096) << 20 | (fz as i64 + dz + 4096);
        unit(seed, place as u64)
    };
    let mix = |a: f32, b: f32, t: f32| a + (b - a) * t;
    let plane = |dz| {
        let near = mix(corner(0, 0, dz), corner(1, 0, dz), tx);
        mix(near, mix(corner(0, 1, dz), corner(1, 1, dz), tx), ty)
    };
    mix(plane(0), plane(1), tz) * 2.0 - 1.0
}
